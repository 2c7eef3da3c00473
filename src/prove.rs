//! Do policies keep the perimeter? Questions to a set of them, answered offline.
//!
//! [`simulate`] decides one request; what it says is the reference for every proof.

pub mod accounts;
pub mod actions;
pub mod answer;
pub mod axioms;
pub mod baseline;
pub mod blame;
pub mod break_glass;
pub mod bundle;
pub mod clause;
pub mod domain;
pub mod explain;
pub mod intervals;
pub mod lint;
pub mod notes;
pub mod plan;
pub mod prover;
pub mod question;
pub mod regions;
pub mod rules;
pub mod scene;
pub mod setting;
pub mod simulate;
pub mod solve;
pub mod space;
pub mod stage;
pub mod strings;
pub mod whom;
pub mod witness;
