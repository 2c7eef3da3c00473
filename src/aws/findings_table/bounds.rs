//! How large what is kept may be. Attackers write parts of records, and an item that DynamoDB
//! refuses for its size (400 KB) would be a finding that nobody sees.
//!
//! Everything is cut before anything is joined, and in the same way each time, so that what comes
//! again is still recognised.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::findings::finding::{Identity, Sightings, Step};
use crate::findings::store::Delta;
use crate::perimeter::origin::Origin;
use crate::perimeter::principal::Principal;

/// Bytes of any one text that is shown of a finding.
const MAX_TEXT: usize = 4096;
/// Bytes of the text of an address.
const MAX_ADDRESS: usize = 256;
/// Bytes of all tables of one finding together.
const MAX_RESOURCES: usize = 96 << 10;
/// Steps of a finding's life: the first, and the latest of the others.
const MAX_STEPS: usize = 40;
/// Bytes of a step's note.
const MAX_NOTE: usize = 2048;
/// Bytes of the name of who made a step.
const MAX_NAME: usize = 256;

/// Bytes of a record that may wait. The way here lets no longer one pass.
const MAX_WAITING: usize = crate::findings::store::MAX_WAITING;

/// The text, or where it has more than `max` bytes its beginning and its hash.
pub(super) fn clipped(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let mut end = max.saturating_sub(40);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}…#{}", text.get(..end).unwrap_or_default(), hash([text])))
}

/// Thirty-two hexadecimal digits.
fn hash<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn clip(text: &mut String, max: usize) {
    if let Cow::Owned(short) = clipped(text, max) {
        *text = short;
    }
}

fn clip_all<'t>(texts: impl IntoIterator<Item = &'t mut Option<String>>) {
    texts.into_iter().flatten().for_each(|text| clip(text, MAX_TEXT));
}

/// The delta, with everything in it cut to size.
pub(super) fn bounded(mut delta: Delta) -> Delta {
    sightings(&mut delta.sightings);
    delta.waiting.retain(|waiting| waiting.record.len() <= MAX_WAITING);
    for half in &mut delta.halves {
        principal(&mut half.principal);
        half.session.iter_mut().for_each(|part| principal(&mut part.principal));
    }
    delta
}

fn sightings(sightings: &mut Sightings) {
    identity(&mut sightings.identity);
    principal(&mut sightings.principal);
    origin(&mut sightings.origin);
    clip_all([&mut sightings.region]);
    sightings.addresses.iter_mut().for_each(|address| clip(address, MAX_ADDRESS));
    for allowed in &mut sightings.allowed_by {
        clip(&mut allowed.policy, MAX_TEXT);
        clip(&mut allowed.statement, MAX_TEXT);
    }
    clip_all([&mut sightings.guard]);
    for evidence in &mut sightings.evidence {
        let event = &mut evidence.event;
        clip_all([&mut event.id, &mut event.time, &mut event.region, &mut event.source]);
        clip_all([&mut event.name, &mut event.user_agent, &mut event.error, &mut event.session]);
        clip_all([&mut event.function, &mut evidence.ip]);
        clip(&mut evidence.reason, MAX_TEXT);
    }
}

fn identity(identity: &mut Identity) {
    clip(identity.rule.to_mut(), MAX_TEXT);
    clip_all([&mut identity.account, &mut identity.principal, &mut identity.endpoint]);
    let mut bytes = 0;
    let fits = |resource: &&String| {
        bytes += resource.len();
        bytes <= MAX_RESOURCES
    };
    let kept = identity.resources.iter().take_while(fits).count();
    if kept < identity.resources.len() {
        let rest = identity.resources.split_off(kept);
        identity.resources.push(format!("…#{}", hash(rest.iter().map(String::as_str))));
    }
}

fn principal(principal: &mut Principal) {
    clip_all([&mut principal.arn, &mut principal.unique_id, &mut principal.account]);
}

fn origin(origin: &mut Origin) {
    clip_all([&mut origin.endpoint, &mut origin.vpc, &mut origin.vpc_account, &mut origin.ip]);
}

/// The steps that are kept of a finding's life. Nothing happens twice by itself without a decision in between,
/// so whoever decided last is always among the latest.
pub(super) fn history(history: &[Step]) -> Vec<Step> {
    let skip = history.len().saturating_sub(MAX_STEPS);
    let steps = history.iter().take(1).chain(history.iter().skip(1 + skip));
    let cut = |step: &Step| {
        let mut step = step.clone();
        clip(&mut step.by, MAX_NAME);
        clip(&mut step.note, MAX_NOTE);
        step
    };
    steps.map(cut).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::findings::finding::tests::sightings;
    use crate::findings::finding::{Kept, Status};
    use crate::findings::lifecycle::{self, Decision, NOBODY, Transition};

    #[test]
    fn texts_are_cut_between_characters_and_stay_apart() {
        let long = "é".repeat(5000);
        let cut = clipped(&long, MAX_TEXT);
        assert!(cut.len() <= MAX_TEXT, "{}", cut.len());
        assert_eq!(clipped(&cut, MAX_TEXT), cut);
        assert_ne!(cut, clipped(&format!("{long}x"), MAX_TEXT));
        assert_eq!(clipped("short", MAX_TEXT), "short");
    }

    #[test]
    fn of_a_long_life_the_first_step_and_the_last_decision_are_kept() {
        let mut kept = Kept::new(sightings(0), Timestamp::UNIX_EPOCH);
        let time = |second| Timestamp::from_second(second).unwrap();
        for n in 0..300 {
            let by = format!("{n}{}", "b".repeat(MAX_NAME - 3));
            let reason = "r".repeat(lifecycle::MAX_NOTE);
            let resolve = Transition::ResolveByChange { event: by.clone(), what: reason };
            kept.decide(&Decision::new(resolve, &by, time(10 * n)).unwrap()).unwrap();
            kept.join(sightings(n.cast_unsigned() + 1), time(10 * n + 5));
            kept.history = history(&kept.history);
        }
        let decided: Vec<&Step> = kept.history.iter().filter(|step| step.by != NOBODY).collect();
        assert_eq!((kept.history.len(), kept.decisions.len()), (MAX_STEPS, MAX_STEPS));
        assert!(
            decided.first().unwrap().by.starts_with("0b") && decided.last().unwrap().by.starts_with("299b")
        );
        assert_eq!(kept.status, Status::Reopened);
        // No note of a decision is cut here: what is too long for it is refused before.
        assert!(kept.history.iter().all(|step| !step.note.contains('…')));
        let bytes: usize = kept.history.iter().map(|step| step.by.len() + step.note.len() + 64).sum();
        assert!(bytes < 64 << 10, "{bytes}");
    }

    #[test]
    fn tables_beyond_what_fits_become_one_mark_that_tells_them_apart() {
        let named = |last: &str| {
            let mut resources: Vec<String> =
                (0..100).map(|n| format!("{n:03}{}", "t".repeat(2000))).collect();
            resources.push(last.to_owned());
            let mut identity = Identity {
                rule: "public-access".into(),
                account: None,
                principal: None,
                resources,
                origin: crate::perimeter::origin::OriginKind::Public,
                endpoint: None,
            };
            super::identity(&mut identity);
            let once = identity.clone();
            super::identity(&mut identity);
            assert_eq!(identity, once);
            identity
        };
        assert_ne!(named("y").id(), named("z").id());
        assert!(named("y").resources.iter().map(String::len).sum::<usize>() <= MAX_RESOURCES + 64);
    }
}
