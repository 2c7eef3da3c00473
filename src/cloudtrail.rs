//! CloudTrail's records: found in whatever they are delivered in, and read as far as we need them.

pub mod archive;
mod bytes;
pub mod cursor;
pub mod elements;
pub mod envelope;
pub mod escapes;
mod field;
mod identity;
mod key;
mod key_order;
pub mod marks;
pub mod outcome;
pub mod record;
mod resume;
mod swallowed;
pub mod tables;
mod units;
