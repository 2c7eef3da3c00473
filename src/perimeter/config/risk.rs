//! Settings that can be used and open more than their author may think, each judged by itself.
//!
//! These are warnings: whether a role's name is an ordinary one, or an office really has a /20, the
//! file cannot tell.

mod addresses;
mod hosts;
mod principals;
mod windows;

pub(super) use addresses::{private, together, too_wide_for_a_vpc, vast, wide};
pub(super) use hosts::misspelt;
pub(super) use principals::{break_glass, never_matches, reaches, service, suppression};
pub(super) use windows::far;
