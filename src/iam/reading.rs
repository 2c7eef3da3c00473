//! Whether something of a policy matches a request, where the documentation may leave it open.
//!
//! Nothing open is decided by a guess. What is permitted is over-approximated: an `Allow` that may
//! match does, a `Deny` that may not match does not; and what hangs on that is said.

/// Does it match?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reading {
    Yes,
    No,
    /// The documentation is silent, or contradicts itself; about what.
    Unclear(&'static str),
}

/// To which side what the documentation leaves open is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// What may allow does, what may deny does not.
    Permissive,
    /// The other way round.
    Strict,
}

impl Side {
    /// Can it be asked that a reading be so?
    pub fn allows(self, reading: Reading, wanted: bool) -> bool {
        match reading {
            Reading::Yes => wanted,
            Reading::No => !wanted,
            Reading::Unclear(_) => self == Side::Permissive,
        }
    }
}

impl Reading {
    /// Both must match.
    pub fn and(self, other: impl FnOnce() -> Reading) -> Reading {
        match self {
            Reading::No => Reading::No,
            Reading::Yes => other(),
            Reading::Unclear(_) => match other() {
                Reading::No => Reading::No,
                Reading::Yes | Reading::Unclear(_) => self,
            },
        }
    }

    /// One must match.
    pub fn or(self, other: impl FnOnce() -> Reading) -> Reading {
        !(!self).and(|| !other())
    }

    /// Does any match?
    pub fn any(readings: impl IntoIterator<Item = Reading>) -> Reading {
        readings.into_iter().fold(Reading::No, |so_far, next| so_far.or(|| next))
    }

    /// Do all match?
    pub fn all(readings: impl IntoIterator<Item = Reading>) -> Reading {
        readings.into_iter().fold(Reading::Yes, |so_far, next| so_far.and(|| next))
    }
}

impl From<bool> for Reading {
    fn from(matches: bool) -> Self {
        if matches { Reading::Yes } else { Reading::No }
    }
}

impl std::ops::Not for Reading {
    type Output = Reading;

    fn not(self) -> Reading {
        match self {
            Reading::Yes => Reading::No,
            Reading::No => Reading::Yes,
            Reading::Unclear(_) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unclear_stays_so_only_where_it_counts() {
        let unclear = Reading::Unclear("a");
        assert_eq!(unclear.and(|| Reading::No), Reading::No);
        assert_eq!(unclear.and(|| Reading::Yes), unclear);
        assert_eq!(unclear.or(|| Reading::Yes), Reading::Yes);
        assert_eq!(unclear.or(|| Reading::No), unclear);
        assert_eq!(!unclear, unclear);
        assert_eq!(Reading::any([]), Reading::No);
        assert_eq!(Reading::all([]), Reading::Yes);
    }
}
