//! What guards the perimeter: policies, roles, endpoints, and the events that change them.
//!
//! [`change`] reads an event and tells what it changed. What a policy allows is not told there:
//! that takes every other policy in force, and so a proof. [`catalogue`] is what there is to allow.

pub mod catalogue;
pub mod change;
pub mod condition;
pub mod document;
pub mod evaluate;
pub mod lint;
pub mod matching;
pub mod operand;
pub mod operator;
pub mod reading;
pub mod request;
pub mod size;
pub mod state;
pub mod table_policy;
pub mod template;
