//! Findings: what records add up to, and where it is kept.

pub mod deltas;
pub mod finding;
mod identity;
pub mod lifecycle;
pub mod replaced;
pub mod sample;
mod session;
mod sightings;
pub mod store;
