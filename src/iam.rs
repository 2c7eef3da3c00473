//! What guards the perimeter: policies, roles, endpoints, and the events that change them.
//!
//! [`change`] reads an event and tells what it changed. What a policy allows is not told there:
//! that takes every other policy in force, and so a proof.

pub mod change;
