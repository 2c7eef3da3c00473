//! What stands in the organization, kept under watch.
//!
//! A snapshot is the base. Every event of a change is put down in a journal, and judged by what it does to the base
//! and to all changes before it, in the order in which they were made: so it is of no matter in which order events come,
//! how often, and who takes them. A sweep brings a new snapshot: it proves all of it, finds what changed without an
//! event, resolves what is mended, and makes the snapshot the new base.

pub mod judge;
pub mod lookup;
mod replay;
pub mod store;
pub mod sweep;
mod unseen;
