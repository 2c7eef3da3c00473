//! A finding's life: what may be decided about it and when, and what time brings by itself.
//!
//! Where nobody has decided anything, a finding stands as its records say: suppressed while `[[suppress]]`
//! entries cover all of them, else open. That is worked out whenever it is read, from the records joined in
//! whatever order, and leaves no step. From the first decision on, steps lead from one status to the next, and
//! what the entries cover does not count any more: somebody has looked.
//!
//! A decision is carried out once, however often it comes. A suppression's end is a step at the time of the
//! end, the same for whoever reads or writes it first.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::finding::{Kept, Status, Step};
use crate::perimeter::exception::Coverage;

/// By whom the steps are that nobody decided.
pub const NOBODY: &str = "perimeter";
/// Bytes of what somebody may say about a decision.
pub const MAX_NOTE: usize = 1024;
/// Bytes of the name of who decides, and of the id of an event.
pub const MAX_NAME: usize = 256;
/// Decisions that are remembered by their ids: the latest.
const MAX_DECISIONS: usize = 40;

/// What is to become of a finding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Transition {
    /// Somebody is at it.
    Acknowledge {
        /// May be empty.
        note: String,
    },
    /// Nobody wants to hear of it for a while; then it comes back.
    Suppress {
        /// When it comes back.
        until: Timestamp,
        /// Why that does no harm.
        reason: String,
    },
    /// It is mended, or turned out to be something else.
    Resolve {
        /// Which of the two, and how.
        reason: String,
    },
    /// A change has mended it: one event, which resolves it once, however often it is told.
    ResolveByChange {
        /// The event's id.
        event: String,
        /// What was changed; may be empty.
        what: String,
    },
    /// What was decided is taken back: somebody has to look at it again.
    Reopen {
        /// May be empty.
        note: String,
    },
}

/// What somebody decided at some time: fit to be kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision {
    id: String,
    at: Timestamp,
    by: String,
    transition: Transition,
}

/// Why something cannot be decided, about any finding.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// No name is given, or no event.
    #[error("{0} is missing")]
    Unnamed(&'static str),
    /// The name is that of [`NOBODY`].
    #[error("`{NOBODY}` stands for what nobody decides; give another name")]
    Nobody,
    /// A suppression or a resolution without a word.
    #[error("a reason is needed")]
    NoReason,
    /// More than is kept of any text.
    #[error("{what} has {bytes} bytes; at most {max} are kept")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// The suppression would be over before it begins.
    #[error("a suppression ends in the future, and {0} is not")]
    Over(Timestamp),
}

/// Why a decision cannot be carried out for one finding as it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Nothing would change.
    #[error("it is {} already", .0.name())]
    Already(Status),
    /// The step would hide what was decided before.
    #[error("it is {}: reopen it first", .0.name())]
    NotFrom(Status),
}

/// The end of a suppression that somebody decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lapse {
    /// When.
    pub at: Timestamp,
    /// What the finding is again from then on.
    pub to: Status,
}

impl Lapse {
    /// All that a suppressed finding may be again.
    pub const TO: [Status; 2] = [Status::Open, Status::Reopened];
}

impl Decision {
    /// A decision by somebody of that name. White space around texts is not kept.
    ///
    /// # Errors
    /// [`Unfit`], where a text is missing or too long, or a suppression has no future.
    pub fn new(mut transition: Transition, by: &str, at: Timestamp) -> Result<Self, Unfit> {
        transition.texts().into_iter().for_each(|text| *text = text.trim().to_owned());
        let by = named("the name of who decides", by.trim())?;
        if by == NOBODY {
            return Err(Unfit::Nobody);
        }
        transition.check(at)?;
        let id = match &transition {
            Transition::ResolveByChange { event, .. } => hash(&["change", event]),
            Transition::Acknowledge { .. }
            | Transition::Suppress { .. }
            | Transition::Resolve { .. }
            | Transition::Reopen { .. } => {
                hash(&[&at.to_string(), &by, transition.name(), &transition.note()])
            }
        };
        Ok(Self { id, at, by, transition })
    }

    /// What tells it from every other decision.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was made.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl Transition {
    fn name(&self) -> &'static str {
        match self {
            Transition::Acknowledge { .. } => "acknowledge",
            Transition::Suppress { .. } => "suppress",
            Transition::Resolve { .. } => "resolve",
            Transition::ResolveByChange { .. } => "resolve by change",
            Transition::Reopen { .. } => "reopen",
        }
    }

    fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Transition::Acknowledge { note } | Transition::Reopen { note } => vec![note],
            Transition::Suppress { reason, .. } | Transition::Resolve { reason } => vec![reason],
            Transition::ResolveByChange { event, what } => vec![event, what],
        }
    }

    fn check(&self, at: Timestamp) -> Result<(), Unfit> {
        match self {
            Transition::Acknowledge { note } | Transition::Reopen { note } => {
                fits("the note", note, MAX_NOTE)
            }
            Transition::Suppress { until, .. } if *until <= at => Err(Unfit::Over(*until)),
            Transition::Suppress { reason, .. } | Transition::Resolve { reason } => {
                if reason.is_empty() {
                    return Err(Unfit::NoReason);
                }
                fits("the reason", reason, MAX_NOTE)
            }
            Transition::ResolveByChange { event, what } => {
                named("the id of the change's event", event)?;
                fits("the reason", what, MAX_NOTE)
            }
        }
    }

    /// What the step says.
    fn note(&self) -> String {
        match self {
            Transition::Acknowledge { note } | Transition::Reopen { note } => note.clone(),
            Transition::Suppress { until, reason } => format!("until {until}: {reason}"),
            Transition::Resolve { reason } => reason.clone(),
            Transition::ResolveByChange { event, what } if what.is_empty() => {
                format!("by the change {event}")
            }
            Transition::ResolveByChange { event, what } => format!("by the change {event}: {what}"),
        }
    }

    /// Where it leads from `from`.
    fn target(&self, from: Status) -> Result<Status, Refused> {
        use Status::{Acknowledged, Open, Reopened, Resolved, Suppressed};
        match (self, from) {
            (Transition::Acknowledge { .. }, Open | Reopened) => Ok(Acknowledged),
            (Transition::Acknowledge { .. }, Acknowledged) => Err(Refused::Already(from)),
            (Transition::Acknowledge { .. }, Suppressed | Resolved) => Err(Refused::NotFrom(from)),
            // One that is suppressed may be for longer, or not so long.
            (Transition::Suppress { .. }, Open | Acknowledged | Suppressed | Reopened) => Ok(Suppressed),
            (Transition::Suppress { .. }, Resolved) => Err(Refused::NotFrom(from)),
            (
                Transition::Resolve { .. } | Transition::ResolveByChange { .. },
                Open | Acknowledged | Suppressed | Reopened,
            ) => Ok(Resolved),
            (Transition::Resolve { .. } | Transition::ResolveByChange { .. }, Resolved) => {
                Err(Refused::Already(from))
            }
            (Transition::Reopen { .. }, Acknowledged | Suppressed) => Ok(Open),
            (Transition::Reopen { .. }, Resolved) => Ok(Reopened),
            (Transition::Reopen { .. }, Open | Reopened) => Err(Refused::Already(from)),
        }
    }
}

impl Kept {
    /// Carries out a decision. Returns whether it was news: one that was carried out before changes nothing,
    /// whatever became of the finding since.
    ///
    /// # Errors
    /// [`Refused`], where it makes no sense as the finding stands when the decision is made; the finding then
    /// stands as [`Self::settle`] leaves it.
    pub fn decide(&mut self, decision: &Decision) -> Result<bool, Refused> {
        let Decision { id, at, by, transition } = decision;
        self.settle(*at);
        if self.decisions.contains(id) {
            return Ok(false);
        }
        let to = transition.target(self.status)?;
        let note = transition.note();
        let last = self.history.last();
        if to == self.status && last.is_some_and(|last| last.to == to && last.note == note) {
            return Err(Refused::Already(to));
        }
        // What nobody has decided is worked out, but from here on the history goes on from it.
        self.history.extend(self.uncovered());
        let lapse = match transition {
            Transition::Suppress { until, .. } => Some(Lapse { at: *until, to: self.comes_back_as() }),
            Transition::Acknowledge { .. }
            | Transition::Resolve { .. }
            | Transition::ResolveByChange { .. }
            | Transition::Reopen { .. } => None,
        };
        self.step(to, *at, by, &note);
        self.lapse = lapse;
        self.decisions.push(id.clone());
        let forgotten = self.decisions.len().saturating_sub(MAX_DECISIONS);
        self.decisions.drain(..forgotten);
        Ok(true)
    }

    /// Lets it stand as it does at `now`: what time has ended is over.
    pub fn settle(&mut self, now: Timestamp) {
        if self.history.is_empty() {
            let is_covered = self.sightings.coverage.holds(now);
            self.status = if is_covered { Status::Suppressed } else { Status::Open };
        } else if let Some(lapse) = self.lapse.take_if(|lapse| lapse.at <= now) {
            self.step(lapse.to, lapse.at, NOBODY, "the suppression has ended");
        }
    }

    /// When it stops to be suppressed by itself, where it is suppressed and that has an end.
    pub fn lapses_at(&self) -> Option<Timestamp> {
        match (self.status, self.lapse, self.sightings.coverage) {
            (Status::Suppressed, Some(lapse), _) => Some(lapse.at),
            (Status::Suppressed, None, Coverage::Until(end)) if self.history.is_empty() => Some(end),
            (Status::Suppressed, None, Coverage::Until(_) | Coverage::Endless | Coverage::Uncovered)
            | (Status::Open | Status::Acknowledged | Status::Resolved | Status::Reopened, _, _) => None,
        }
    }

    /// Where it stands, and what led there.
    pub fn into_standing(mut self) -> (Status, Vec<Step>) {
        self.history.extend(self.uncovered());
        (self.status, self.history)
    }

    pub(super) fn step(&mut self, to: Status, at: Timestamp, by: &str, note: &str) {
        self.history.push(Step { at, from: self.status, to, by: by.to_owned(), note: note.to_owned() });
        self.status = to;
    }

    /// What a suppressed finding will be again.
    fn comes_back_as(&self) -> Status {
        match self.status {
            Status::Reopened => Status::Reopened,
            Status::Suppressed => self.lapse.map_or(Status::Open, |lapse| lapse.to),
            Status::Open | Status::Acknowledged | Status::Resolved => Status::Open,
        }
    }

    /// The step out of what `[[suppress]]` entries covered, where that is over and nobody has decided anything.
    pub(super) fn uncovered(&self) -> Option<Step> {
        match (self.status, self.sightings.coverage) {
            (Status::Open, Coverage::Until(at)) if self.history.is_empty() => Some(Step {
                at,
                from: Status::Suppressed,
                to: Status::Open,
                by: NOBODY.to_owned(),
                note: "what perimeter.toml suppresses has ended".to_owned(),
            }),
            (
                Status::Open
                | Status::Acknowledged
                | Status::Suppressed
                | Status::Resolved
                | Status::Reopened,
                Coverage::Until(_) | Coverage::Endless | Coverage::Uncovered,
            ) => None,
        }
    }
}

/// A name that is there and fits.
fn named(what: &'static str, name: &str) -> Result<String, Unfit> {
    if name.is_empty() {
        return Err(Unfit::Unnamed(what));
    }
    fits(what, name, MAX_NAME)?;
    Ok(name.to_owned())
}

fn fits(what: &'static str, text: &str, max: usize) -> Result<(), Unfit> {
    let bytes = text.len();
    if bytes <= max { Ok(()) } else { Err(Unfit::TooLong { what, bytes, max }) }
}

/// Sixteen hexadecimal digits.
fn hash(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        // Lengths stand before texts, so that no two decisions run into the same bytes.
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::finding::Sightings;
    use crate::findings::finding::tests::sightings;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_772_323_200 + 3600 * hour).unwrap()
    }

    fn seen(event: u64, coverage: Coverage) -> Sightings {
        Sightings { coverage, ..sightings(event) }
    }

    fn kept() -> Kept {
        Kept::new(seen(1, Coverage::Uncovered), at(0))
    }

    fn decided(hour: i64, transition: Transition) -> Decision {
        Decision::new(transition, "anna", at(hour)).unwrap()
    }

    fn acknowledge() -> Transition {
        Transition::Acknowledge { note: String::new() }
    }

    fn suppress(until: i64) -> Transition {
        Transition::Suppress { until: at(until), reason: "a test".into() }
    }

    fn resolve() -> Transition {
        Transition::Resolve { reason: "mended".into() }
    }

    fn change() -> Transition {
        Transition::ResolveByChange { event: "e-1".into(), what: String::new() }
    }

    fn reopen() -> Transition {
        Transition::Reopen { note: String::new() }
    }

    /// The status after these transitions, one an hour from 1 on.
    fn after(transitions: &[Transition]) -> Kept {
        let mut kept = kept();
        for (hour, transition) in (1..).zip(transitions) {
            assert_eq!(kept.decide(&decided(hour, transition.clone())), Ok(true));
        }
        kept
    }

    /// The steps, and where they led.
    fn told(kept: &Kept) -> String {
        let (status, history) = kept.clone().into_standing();
        let step = |step: &Step| {
            let (from, to) = (step.from.name(), step.to.name());
            format!("{} {from} → {to} by {}: {:?}", step.at, step.by, step.note)
        };
        let steps: Vec<String> = history.iter().map(step).collect();
        format!("{}\n{}", steps.join("\n"), status.name())
    }

    #[test]
    fn every_transition_is_allowed_or_refused_from_every_status() {
        let ways = [
            (Status::Open, vec![]),
            (Status::Acknowledged, vec![acknowledge()]),
            (Status::Suppressed, vec![suppress(99)]),
            (Status::Resolved, vec![resolve()]),
            (Status::Reopened, vec![resolve(), reopen()]),
        ];
        let mut table = String::new();
        for (status, way) in &ways {
            assert_eq!(after(way).status, *status);
            for transition in [acknowledge(), suppress(100), resolve(), change(), reopen()] {
                let mut kept = after(way);
                let (name, steps) = (transition.name(), kept.history.len());
                let became = match kept.decide(&decided(9, transition)) {
                    Ok(is_news) => {
                        assert!(is_news && kept.history.len() == steps + 1);
                        kept.status.name().to_owned()
                    }
                    Err(refused) => {
                        assert_eq!((kept.status, kept.history.len()), (*status, steps));
                        refused.to_string()
                    }
                };
                table += &format!("{} + {name} = {became}\n", status.name());
            }
        }
        insta::assert_snapshot!(table, @r"
        open + acknowledge = acknowledged
        open + suppress = suppressed
        open + resolve = resolved
        open + resolve by change = resolved
        open + reopen = it is open already
        acknowledged + acknowledge = it is acknowledged already
        acknowledged + suppress = suppressed
        acknowledged + resolve = resolved
        acknowledged + resolve by change = resolved
        acknowledged + reopen = open
        suppressed + acknowledge = it is suppressed: reopen it first
        suppressed + suppress = suppressed
        suppressed + resolve = resolved
        suppressed + resolve by change = resolved
        suppressed + reopen = open
        resolved + acknowledge = it is resolved: reopen it first
        resolved + suppress = it is resolved: reopen it first
        resolved + resolve = it is resolved already
        resolved + resolve by change = it is resolved already
        resolved + reopen = reopened
        reopened + acknowledge = acknowledged
        reopened + suppress = suppressed
        reopened + resolve = resolved
        reopened + resolve by change = resolved
        reopened + reopen = it is reopened already
        ");
    }

    #[test]
    fn what_cannot_be_kept_is_no_decision() {
        let long = "é".repeat(MAX_NOTE / 2 + 1);
        let of = |transition, by: &str| Decision::new(transition, by, at(1)).unwrap_err().to_string();
        let said = [
            of(acknowledge(), " \n"),
            of(acknowledge(), "perimeter"),
            of(acknowledge(), &long),
            of(Transition::Acknowledge { note: long.clone() }, "anna"),
            of(Transition::Reopen { note: long.clone() }, "anna"),
            of(Transition::Resolve { reason: " \t".into() }, "anna"),
            of(Transition::Suppress { until: at(2), reason: String::new() }, "anna"),
            of(suppress(1), "anna"),
            of(Transition::ResolveByChange { event: " ".into(), what: String::new() }, "anna"),
            of(Transition::ResolveByChange { event: "e".into(), what: long }, "anna"),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        the name of who decides is missing
        `perimeter` stands for what nobody decides; give another name
        the name of who decides has 1026 bytes; at most 256 are kept
        the note has 1026 bytes; at most 1024 are kept
        the note has 1026 bytes; at most 1024 are kept
        a reason is needed
        a reason is needed
        a suppression ends in the future, and 2026-03-01T01:00:00Z is not
        the id of the change's event is missing
        the reason has 1026 bytes; at most 1024 are kept
        ");
        let longest = Transition::Acknowledge { note: "n".repeat(MAX_NOTE) };
        assert!(Decision::new(longest, &"b".repeat(MAX_NAME), at(1)).is_ok());
    }

    #[test]
    fn a_suppression_that_ends_brings_the_finding_back_as_it_was() {
        let cases = [
            (vec![], Status::Open),
            (vec![acknowledge()], Status::Open),
            (vec![resolve(), reopen()], Status::Reopened),
            (vec![resolve(), reopen(), acknowledge()], Status::Open),
            // Suppressed once more: it comes back as what it was before the first.
            (vec![resolve(), reopen(), suppress(40)], Status::Reopened),
        ];
        for (way, back) in cases {
            let mut kept = after(&way);
            kept.decide(&decided(9, suppress(20))).unwrap();
            kept.settle(at(20) - jiff::SignedDuration::from_nanos(1));
            assert_eq!((kept.status, kept.lapses_at()), (Status::Suppressed, Some(at(20))), "{way:?}");
            kept.settle(at(20));
            let steps = kept.history.len();
            kept.settle(at(50));
            assert_eq!((kept.status, kept.lapse, kept.history.len()), (back, None, steps), "{way:?}");
        }
    }

    #[test]
    fn a_suppression_is_over_once_somebody_decides_otherwise() {
        for (transition, status) in [(resolve(), Status::Resolved), (reopen(), Status::Open)] {
            let mut kept = after(&[suppress(20), transition]);
            let steps = kept.history.len();
            kept.settle(at(30));
            assert_eq!((kept.status, kept.lapse, kept.history.len()), (status, None, steps));
        }
    }

    #[test]
    fn an_end_is_written_down_as_it_was_whoever_comes_next() {
        let suppressed = after(&[suppress(20)]);
        let (mut read, mut joined, mut decided_on) =
            (suppressed.clone(), suppressed.clone(), suppressed.clone());
        read.settle(at(30));
        joined.join(seen(2, Coverage::Uncovered), at(40));
        decided_on.decide(&decided(50, acknowledge())).unwrap();
        assert_eq!(joined.history, read.history);
        assert_eq!(decided_on.history[..2], read.history);
        insta::assert_snapshot!(told(&decided_on), @r#"
        2026-03-01T01:00:00Z open → suppressed by anna: "until 2026-03-01T20:00:00Z: a test"
        2026-03-01T20:00:00Z suppressed → open by perimeter: "the suppression has ended"
        2026-03-03T02:00:00Z open → acknowledged by anna: ""
        acknowledged
        "#);
    }

    #[test]
    fn a_decision_is_carried_out_once() {
        let mut kept = kept();
        let resolved = decided(1, resolve());
        assert_eq!(kept.decide(&resolved), Ok(true));
        assert_eq!(kept.decide(&resolved), Ok(false));
        kept.decide(&decided(2, reopen())).unwrap();
        // Whatever became of it since.
        assert_eq!(kept.decide(&resolved), Ok(false));
        assert_eq!(told(&kept).lines().count(), 3);
        // The same by somebody else, or at another time, is another decision.
        assert_ne!(decided(1, resolve()).id(), decided(2, resolve()).id());
        let other = Decision::new(resolve(), "otto", at(1)).unwrap();
        assert_ne!(decided(1, resolve()).id(), other.id());
        // But one change resolves it once, whoever tells of it and when.
        assert_eq!(decided(1, change()).id(), decided(2, change()).id());
    }

    #[test]
    fn the_same_suppression_again_is_refused_and_another_end_is_not() {
        let mut kept = after(&[suppress(20)]);
        assert_eq!(kept.decide(&decided(3, suppress(20))), Err(Refused::Already(Status::Suppressed)));
        assert_eq!(kept.decide(&decided(4, suppress(10))), Ok(true));
        assert_eq!(kept.lapses_at(), Some(at(10)));
        // It has ended: suppressed anew, it is no repetition.
        assert_eq!(kept.decide(&decided(11, suppress(20))), Ok(true));
        assert_eq!(kept.history.len(), 4);
    }

    #[test]
    fn seen_again_it_is_reopened_and_what_is_known_reopens_nothing() {
        let mut kept = after(&[resolve()]);
        kept.join(seen(1, Coverage::Uncovered), at(5));
        assert_eq!(kept.status, Status::Resolved);
        kept.join(seen(2, Coverage::Endless), at(6));
        assert_eq!((kept.status, kept.history.len()), (Status::Reopened, 2));
        for (way, stays) in [(acknowledge(), Status::Acknowledged), (suppress(90), Status::Suppressed)] {
            let mut kept = after(&[way]);
            kept.join(seen(3, Coverage::Uncovered), at(7));
            assert_eq!((kept.status, kept.history.len()), (stays, 1));
        }
    }

    #[test]
    fn what_is_put_up_with_of_a_change_is_not_the_next_change() {
        let of = |event, rule: &'static str, principal: Option<&str>| {
            let mut seen = seen(event, Coverage::Uncovered);
            seen.identity.rule = rule.into();
            seen.identity.principal = principal.map(str::to_owned);
            seen.identity.origin = crate::perimeter::origin::OriginKind::Unknown;
            seen
        };
        let after = |rule, principal| {
            let mut kept = Kept::new(of(1, rule, principal), at(0));
            kept.decide(&decided(1, suppress(90))).unwrap();
            kept.join(of(1, rule, principal), at(2));
            assert_eq!(kept.status, Status::Suppressed, "the same event again");
            kept.join(of(2, rule, principal), at(3));
            kept.settle(at(99));
            (kept.status, kept.history.len())
        };
        assert_eq!(after("perimeter-opened", None), (Status::Reopened, 2));
        // Who gets in as things stand is no change, and a call is one of many; the suppression ends by itself.
        assert_eq!(after("perimeter-opened", Some("arn:aws:iam::111122223333:role/a")), (Status::Open, 2));
        assert_eq!(after("public-access", None), (Status::Open, 2));
    }

    #[test]
    fn entries_cover_a_finding_until_the_latest_end_in_whatever_order_records_come() {
        let (short, long) = (Coverage::Until(at(10)), Coverage::Until(at(20)));
        let cases = [
            (vec![short], [Status::Suppressed, Status::Open, Status::Open]),
            (vec![short, long], [Status::Suppressed, Status::Suppressed, Status::Open]),
            (vec![short, Coverage::Endless], [Status::Suppressed; 3]),
            (vec![long, Coverage::Endless, Coverage::Uncovered], [Status::Open; 3]),
        ];
        for (coverages, expected) in cases {
            for turn in 0..coverages.len() {
                for now in [5, 10, 25] {
                    let mut order = coverages.clone();
                    order.rotate_left(turn);
                    let mut kept = Kept::new(seen(0, order[0]), at(now));
                    for (event, coverage) in (0..).zip(order.iter().chain(&order)) {
                        kept.join(seen(event, *coverage), at(now));
                    }
                    assert!(kept.history.is_empty());
                    let mut stands = Vec::new();
                    for later in [5, 10, 25] {
                        kept.settle(at(later));
                        stands.push(kept.status);
                    }
                    assert_eq!(stands, expected, "{order:?} at {now}");
                }
            }
        }
    }

    #[test]
    fn that_entries_have_ended_is_told_and_from_a_decision_on_kept() {
        let mut kept = Kept::new(seen(1, Coverage::Until(at(10))), at(5));
        assert_eq!(kept.lapses_at(), Some(at(10)));
        assert_eq!(kept.decide(&decided(6, acknowledge())), Err(Refused::NotFrom(Status::Suppressed)));
        assert_eq!(kept.history, []);
        kept.settle(at(12));
        insta::assert_snapshot!(told(&kept), @r#"
        2026-03-01T10:00:00Z suppressed → open by perimeter: "what perimeter.toml suppresses has ended"
        open
        "#);
        kept.decide(&decided(13, acknowledge())).unwrap();
        // Somebody has looked: what entries cover does not count any more.
        kept.join(seen(2, Coverage::Until(at(90))), at(14));
        insta::assert_snapshot!(told(&kept), @r#"
        2026-03-01T10:00:00Z suppressed → open by perimeter: "what perimeter.toml suppresses has ended"
        2026-03-01T13:00:00Z open → acknowledged by anna: ""
        acknowledged
        "#);
    }
}
