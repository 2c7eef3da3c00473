//! Adapters to AWS, one a port. SDK types end here: no other module can name one.

pub mod collect;
#[cfg(feature = "cli")]
pub mod embedded;
pub mod findings_table;
pub mod function;
pub mod s3;
#[cfg(feature = "cli")]
pub mod s3_tree;
pub mod snapshot;
#[cfg(feature = "cli")]
mod store_file;
pub mod store_url;
