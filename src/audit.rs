//! From the facts of a record to what is made of it.

pub mod calls;
pub mod case;
mod ours;
pub mod reason;
pub mod rule;
pub mod rules;
pub mod shortcut;
pub mod verdict;
