//! Findings: what records add up to, and where it is kept.

pub mod deltas;
pub mod finding;
pub mod sample;
pub mod store;
