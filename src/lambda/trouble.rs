//! What went wrong with one message, or with an event that is not in messages.

use std::fmt;

use super::log_file::FetchError;
use crate::cloudtrail::cursor::Cause;
use crate::cloudtrail::elements::Fault;
use crate::cloudtrail::envelope::LogFile;

/// One thing that went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// Something in the message cannot be read, and never will.
    #[error("byte {}{}: {}", .0.at, if .0.packed { " of the packed data" } else { "" }, .0.cause)]
    Unreadable(Fault),
    /// Something in a log file that the message names cannot be read.
    #[error("s3://{}/{}, byte {}{}: {}", .file.bucket, .file.key, .fault.at,
        if .fault.packed { " of the packed file" } else { "" }, .fault.cause)]
    UnreadableFile {
        /// Which.
        file: LogFile,
        /// What is wrong.
        fault: Fault,
    },
    /// It holds nothing at all.
    #[error("it holds no CloudTrail record and names no log file")]
    Nothing,
    /// It is no message as SQS makes them.
    #[error("{0}")]
    Malformed(String),
    /// A log file that it names could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The store did not take a finding.
    #[error("finding {finding}: {reason}")]
    Store {
        /// Its id.
        finding: String,
        /// Why.
        reason: String,
        /// It never will.
        lasting: bool,
    },
    /// The store did not say or do something else.
    #[error("{doing}: {reason}")]
    Stopped {
        /// What was being done.
        doing: &'static str,
        /// Why it did not go on.
        reason: String,
    },
}

impl Trouble {
    /// It will be the same whenever it is tried again.
    pub fn is_lasting(&self) -> bool {
        match self {
            Trouble::Unreadable(fault) | Trouble::UnreadableFile { fault, .. } => {
                !matches!(fault.cause, Cause::Io(_))
            }
            Trouble::Nothing | Trouble::Malformed(_) => true,
            Trouble::Fetch(error) => error.lasting,
            Trouble::Store { lasting, .. } => *lasting,
            Trouble::Stopped { .. } => false,
        }
    }

    /// Something could not be read, rather than stored.
    fn is_unreadable(&self) -> bool {
        match self {
            Trouble::Unreadable(_)
            | Trouble::UnreadableFile { .. }
            | Trouble::Nothing
            | Trouble::Malformed(_) => true,
            Trouble::Fetch(_) | Trouble::Store { .. } | Trouble::Stopped { .. } => false,
        }
    }
}

/// What is named one by one; a damaged file may have millions of faults.
const NAMED: usize = 10;

/// All that went wrong with one message.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    named: Vec<Trouble>,
    /// Those that are counted and not named.
    more: u64,
    unreadable: u64,
    lasting: bool,
}

impl Troubles {
    pub fn push(&mut self, trouble: Trouble) {
        self.unreadable += u64::from(trouble.is_unreadable());
        self.lasting |= trouble.is_lasting();
        if self.named.len() < NAMED {
            self.named.push(trouble);
        } else {
            self.more += 1;
        }
    }

    pub fn join(&mut self, other: Troubles) {
        self.more += other.more;
        self.unreadable += other.unreadable;
        self.lasting |= other.lasting;
        for trouble in other.named {
            if self.named.len() < NAMED {
                self.named.push(trouble);
            } else {
                self.more += 1;
            }
        }
    }

    /// The same, of a log file rather than of the message itself.
    pub fn in_file(mut self, file: &LogFile) -> Self {
        for trouble in &mut self.named {
            if let Trouble::Unreadable(fault) = trouble {
                *trouble = Trouble::UnreadableFile { file: file.clone(), fault: *fault };
            }
        }
        self
    }

    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Things that could not be read.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Something of it will be the same whenever it is tried again.
    pub fn is_lasting(&self) -> bool {
        self.lasting
    }

    /// The first that was found.
    pub fn first(&self) -> Option<&Trouble> {
        self.named.first()
    }

    /// Where nothing but this was found it was no event for us.
    pub fn is_no_event(&self) -> bool {
        let no_event = |trouble: &Trouble| match trouble {
            Trouble::Unreadable(fault) => matches!(fault.cause, Cause::NoRecord(_) | Cause::Expected { .. }),
            Trouble::Nothing => true,
            Trouble::UnreadableFile { .. }
            | Trouble::Malformed(_)
            | Trouble::Fetch(_)
            | Trouble::Store { .. }
            | Trouble::Stopped { .. } => false,
        };
        self.more == 0 && self.named.iter().all(no_event)
    }
}

impl fmt::Display for Troubles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, trouble) in self.named.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            trouble.fmt(f)?;
        }
        if self.more > 0 {
            write!(f, "; and {} more", self.more)?;
        }
        Ok(())
    }
}
