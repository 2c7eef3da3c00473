//! Who reaches which table from outside, as things stand, and what a change does to that.
//!
//! `policies` lays out what stands as bundles for the prover, `scope` says of whom and what a change can speak at
//! all, and [`change`] compares before with after. What nobody told is taken for the worst where there is a worst, and
//! for unknown where there is none: never for harmless.

mod alike;
mod alike_callers;
pub mod change;
mod grants;
mod policies;
pub mod replay;
mod scope;
pub mod sweep;
pub mod texts;
pub mod wider;
