//! Keeps DynamoDB tables reachable only from inside the approved VPCs, and proves it.
//!
//! ```text
//! CloudTrail ─► cloudtrail ─► perimeter ─► audit ─► findings ─► cli, lambda
//!  (bytes)       (record)     (origin,     (verdict, (what adds   (print,
//!                              principal)   rule)     up)          answer)
//! ```
//!
//! A record goes one way and is never handed back. [`pipeline`] alone knows the whole way; what
//! the AWS SDK is needed for is in [`aws`], and no other module can name its types.

pub mod audit;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cloudtrail;
pub mod findings;
pub mod glob;
pub mod gzip;
pub mod iam;
pub mod ids;
pub mod json;
#[cfg(feature = "aws")]
pub mod lambda;
pub mod perimeter;
pub mod pipeline;
pub mod prove;
pub mod reach;
#[cfg(feature = "aws")]
pub mod watch;
