//! The Lambda functions: an event in, what became of it out. Nothing is decided here.
//!
//! One executable, `bootstrap`, holds all functions; the name of the handler says which one it is
//! to be. [`auditor`] is driven alike by Lambda and by `perimeter invoke`.

pub mod auditor;
pub mod collector;
mod endpoints;
mod event;
mod invocation;
pub mod log_file;
pub mod metrics;
mod reading;
pub mod reply;
pub mod runtime;
pub mod sweeper;
mod trouble;

/// A function, chosen by the handler's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Function {
    /// Audits what happens, as it happens.
    Auditor,
    /// Reads what stands, and keeps it.
    Collector,
    /// Proves what was kept, and compares it with what was known.
    Sweeper,
}

/// There is no function of that name.
#[derive(Debug, thiserror::Error)]
#[error("there is no function `{name}`: the handler must be one of {}", names())]
pub struct NoFunction {
    name: String,
}

fn names() -> String {
    Function::ALL.map(|function| format!("`{}`", function.name())).join(", ")
}

impl Function {
    /// All that there are.
    pub const ALL: [Function; 3] = [Function::Auditor, Function::Collector, Function::Sweeper];

    /// The handler's name.
    pub fn name(self) -> &'static str {
        match self {
            Function::Auditor => "auditor",
            Function::Collector => "collector",
            Function::Sweeper => "sweeper",
        }
    }

    /// The function of that name.
    ///
    /// # Errors
    /// Where there is none, naming those that there are.
    pub fn parse(name: &str) -> Result<Self, NoFunction> {
        let found = Self::ALL.into_iter().find(|function| function.name() == name);
        found.ok_or_else(|| NoFunction { name: name.to_owned() })
    }
}
