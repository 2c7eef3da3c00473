//! Windows that are as good as endless.
//!
//! There is no clock here: a file means the same whenever it is read. So a window is measured from its
//! own beginning and, where it has none, by the calendar alone.

use jiff::{SignedDuration, Timestamp};

use super::super::value::Complaint;

/// A window that is longer is one that nobody means to look at again.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * (5 * 365 + 2));

/// 2100-01-01: a date from then on is written to mean "never".
const NEVER: Timestamp = Timestamp::constant(4_102_444_800, 0);

/// An end that is so far away that there might as well be none.
pub(crate) fn far(from: Option<Timestamp>, until: Timestamp) -> Option<Complaint> {
    let message = if until >= NEVER {
        "the window is as good as endless: `until` lies in another century"
    } else if from.is_some_and(|from| until.duration_since(from) > LONGEST) {
        "the window is as good as endless: more than five years lie between `from` and `until`"
    } else {
        return None;
    };
    Some(Complaint::new(message).help("end it on the day to look at it again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(from: &str, until: &str) -> bool {
        far(from.parse().ok(), until.parse().unwrap()).is_some()
    }

    #[test]
    fn a_window_ends_within_five_years_and_this_century() {
        assert!(!judged("", "2099-12-31T23:59:59Z"));
        assert!(judged("", "2100-01-01T00:00:00Z"));
        assert!(!judged("2026-01-01T00:00:00Z", "2031-01-01T00:00:00Z"));
        assert!(judged("2026-01-01T00:00:00Z", "2031-01-03T00:00:00Z"));
        assert!(judged("2099-06-01T00:00:00Z", "2100-01-01T00:00:00Z"));
    }
}
