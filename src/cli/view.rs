//! What people read: findings, records, summaries and rules, laid out for a terminal or a
//! spreadsheet.
//!
//! Much of what is shown was written by whoever made the call: user agents, session names, table
//! names in refused requests. It is made inert here, by [`plain_line`] or by the writers of
//! [`json`] and [`sheet`], and nowhere else; what goes to a file or a pipe is made inert as well,
//! since somebody will look at it on a terminal. How wide a character is drawn is known as well as
//! Unicode tells it; terminals differ.

pub mod decided;
pub mod findings;
mod inert;
pub mod json;
pub mod lint_page;
pub mod lints;
pub mod onward;
pub mod paint;
pub mod proof;
mod prose;
pub mod records;
pub mod rule_page;
pub mod rules;
mod sheet;
mod short;
pub mod story;
pub mod summary;
pub mod sweep;
mod table;
#[cfg(test)]
mod tests;

pub use inert::{plain, plain_line};
pub use short::{arn as short_arn, counted};
