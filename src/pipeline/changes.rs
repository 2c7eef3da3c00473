//! Changes, judged by what they do to who reaches what: one after another, in the order in which they happened,
//! whatever order their events came in.

use jiff::Timestamp;

use super::calls::Timeline;
use super::{Auditor, Calls, Replays, key_of, leaves_out_of_whom, reread, sightings_of};
use crate::audit::case::{Case, Event, Proven, Subject};
use crate::audit::rules;
use crate::audit::verdict::judge;
use crate::findings::sample::EventKey;
use crate::findings::store::Delta;
use crate::iam::change::{Ours, Shows};
use crate::iam::state::{Edit, Endpoint, HolderId, HolderKind, State, Text};
use crate::perimeter::Perimeter;
use crate::reach::change::{Between, Effect, EffectKind, effect};
use crate::reach::texts::Texts;
use crate::reach::wider::is_wider;

/// A change that is judged once all are known.
#[derive(Clone, Debug)]
pub struct Pending {
    /// When it was made; a change of which that is not told comes last.
    time: Option<Timestamp>,
    key: EventKey,
    case: Case,
    event: Event,
    /// The record, where it goes into a journal.
    record: Option<Box<str>>,
}

impl Pending {
    pub(super) fn new(key: EventKey, case: Case, event: Event, record: Option<Box<str>>) -> Self {
        Self { time: case.time, key, case, event, record }
    }

    /// When the change was made, by its event.
    pub fn time(&self) -> Option<Timestamp> {
        self.time
    }

    /// The event's number.
    pub fn key(&self) -> EventKey {
        self.key
    }

    /// The id of the event.
    pub fn event_id(&self) -> Option<&str> {
        self.event.id.as_deref()
    }

    /// `eventName`.
    pub fn event_name(&self) -> &str {
        self.case.event_name()
    }

    /// The account and the region that it was recorded for.
    pub fn place(&self) -> (Option<&str>, Option<&str>) {
        (self.case.account.as_deref(), self.case.region.as_deref())
    }

    /// Does the event leave out what it changes?
    pub fn is_unreadable(&self) -> bool {
        matches!(&self.case.subject, Subject::Change { change, .. } if change.shows == Shows::Unreadable)
    }

    /// Does it leave out even of whom it is, and was it made in IAM, where an account can be read as a whole?
    pub fn leaves_out_of_whom(&self) -> bool {
        let is_of_iam = self.event.source.as_deref().is_some_and(|source| source.starts_with("iam."));
        is_of_iam && leaves_out_of_whom(&self.case)
    }

    /// The record, as JSON, where it goes into a journal.
    pub fn record(&self) -> Option<&str> {
        self.record.as_deref()
    }

    /// May it have to do with one of these roles, tables or endpoints? Of a policy that many have, that is not asked.
    pub fn may_touch(&self, arns: &[String]) -> bool {
        let is_named = |name: &str| arns.iter().any(|arn| arn.rsplit(['/', ':']).next() == Some(name));
        self.edits().iter().any(|edit| match edit {
            Edit::Made(made) => is_named(&made.holder.name),
            Edit::Gone(holder)
            | Edit::Inline { holder, .. }
            | Edit::Attached { holder, .. }
            | Edit::Boundary { holder, .. }
            | Edit::Trust { role: holder, .. }
            | Edit::Tagged { holder, .. } => holder.kind == HolderKind::Group || is_named(&holder.name),
            Edit::TableMade { table, .. }
            | Edit::TablePolicy { table, .. }
            | Edit::TableTagged { table, .. }
            | Edit::Replica(table)
            | Edit::TableGone(table) => arns.contains(table),
            Edit::EndpointMade { endpoint, .. }
            | Edit::EndpointPolicy { endpoint, .. }
            | Edit::EndpointGone(endpoint) => is_named(endpoint),
            _ => true,
        })
    }

    /// What was changed, as one phrase.
    pub fn what(&self) -> &str {
        match &self.case.subject {
            Subject::Change { change, .. } => &change.what,
            Subject::Call | Subject::Nothing(_) | Subject::Unreliable(_) | Subject::Forged(_) => "",
        }
    }

    /// Carries out what it changes.
    pub fn apply_to(&self, state: &mut State) {
        self.edits().iter().for_each(|edit| state.apply(edit));
    }

    /// Bytes that it takes in memory, roughly.
    pub(super) fn weight(&self) -> usize {
        let record = self.record.as_ref().map_or(0, |record| record.len());
        2 * size_of::<Self>() + record + self.edits().iter().map(edit_weight).sum::<usize>()
    }

    /// What it changes.
    pub fn edits(&self) -> &[Edit] {
        match &self.case.subject {
            Subject::Change { change, .. } => &change.edits,
            Subject::Call | Subject::Nothing(_) | Subject::Unreliable(_) | Subject::Forged(_) => &[],
        }
    }
}

/// The texts of policies are what takes room.
fn edit_weight(edit: &Edit) -> usize {
    let text = |text: &Text| text.as_str().map_or(0, str::len);
    let policy = match edit {
        Edit::Inline { text: Some(policy), .. }
        | Edit::Trust { text: policy, .. }
        | Edit::Version { text: policy, .. }
        | Edit::Control { text: Some(policy), .. }
        | Edit::TableMade { policy: Some(policy), .. }
        | Edit::TablePolicy { text: Some(policy), .. }
        | Edit::EndpointMade { policy: Some(policy), .. }
        | Edit::EndpointPolicy { text: Some(policy), .. } => text(policy),
        Edit::Made(made) => made.trust.as_ref().map_or(0, text),
        _ => 0,
    };
    size_of::<Edit>() + policy
}

impl Auditor<'_> {
    /// Judges changes by what each does to `state`, which is then as they leave it. `taken_at`: what happened before
    /// then is in the state already, and is judged by its text alone.
    pub fn changes(
        &self,
        state: &mut State,
        taken_at: Option<Timestamp>,
        pending: Vec<Pending>,
        now: Timestamp,
    ) -> Vec<Delta> {
        self.history(state, taken_at, (pending, Calls::default()), now).0
    }

    /// The same, and holds each call against what stood when it was made: which statements let it through, and whether
    /// what became of it is what the policies say.
    pub fn history(
        &self,
        state: &mut State,
        taken_at: Option<Timestamp>,
        (mut pending, calls): (Vec<Pending>, Calls),
        now: Timestamp,
    ) -> (Vec<Delta>, Replays) {
        pending.sort_by_key(|one| (one.time.is_none(), one.time, one.key));
        pending.dedup_by_key(|one| one.key);
        let texts = Texts::default();
        let is_known = |one: &Pending| taken_at.zip(one.time).is_some_and(|(taken, time)| time < taken);
        let changes: Vec<Timestamp> =
            pending.iter().filter(|one| !is_known(one)).filter_map(|one| one.time).collect();
        let mut timeline = Timeline::of(calls, &changes, taken_at);
        let mut deltas = Vec::new();
        for one in pending {
            if is_known(&one) {
                deltas.extend(self.by_text(one));
            } else {
                timeline.up_to(one.time, state, self.known.perimeter, &texts);
                deltas.extend(self.prove(state, one, &texts, now).map(|found| found.delta));
            }
        }
        timeline.up_to(None, state, self.known.perimeter, &texts);
        let (of_calls, replays) = self.replayed(timeline);
        deltas.extend(of_calls);
        (deltas, replays)
    }

    /// Holds calls against what stood when they were made, between changes in their order.
    pub fn replays(
        &self,
        state: &mut State,
        taken_at: Timestamp,
        changes: &[Pending],
        calls: Calls,
    ) -> (Vec<Delta>, Replays) {
        let texts = Texts::default();
        let times: Vec<Timestamp> = changes.iter().filter_map(|one| one.time).collect();
        let mut timeline = Timeline::of(calls, &times, Some(taken_at));
        for one in changes {
            timeline.up_to(one.time, state, self.known.perimeter, &texts);
            one.apply_to(state);
        }
        timeline.up_to(None, state, self.known.perimeter, &texts);
        self.replayed(timeline)
    }

    /// Judges a change by what it does to `state`, which is then as it leaves it.
    pub fn prove(&self, state: &mut State, mut one: Pending, texts: &Texts, now: Timestamp) -> Option<Found> {
        let begin = state.clone();
        one.case.is_weighed = true;
        for edit in one.edits().to_vec() {
            let before = state.clone();
            state.apply(&edit);
            if is_there_already(&edit, [&before, state]) {
                continue;
            }
            let between = Between { states: [&before, state], perimeter: self.known.perimeter, texts };
            let found = proven(&edit, between, now);
            let subjects = subjects(&edit, [&before, state], self.known.perimeter);
            if found.is_some() && !subjects.is_empty() {
                one.case.resources = subjects;
            }
            one.case.proven = more_severe(one.case.proven.take(), found);
        }
        let delta = self.by_text(one)?;
        Some(Found { delta, undo: state.edits_to(&begin) })
    }

    /// Judges a change of which it cannot be told when it was made, where more is known than its text.
    pub fn out_of_time(&self, mut one: Pending) -> Option<Delta> {
        let why = "it cannot be told when it was made, and so not what it did to what stood".to_owned();
        one.case.proven = Some(Proven { rule: &rules::CHANGE_UNREADABLE, why });
        self.by_text(one)
    }

    /// Judges a change by its text, and by what was proven of it.
    pub fn by_text(&self, one: Pending) -> Option<Delta> {
        let Pending { key, case, event, .. } = one;
        let judgement = judge(&case, self.known.perimeter);
        let sightings = sightings_of(&case, &judgement, key, event)?;
        Some(Delta { sightings, waiting: Vec::new(), halves: Vec::new() })
    }

    /// A finding of what stands, which no event is about. `salt` tells one look at it from another.
    pub fn standing(&self, case: &Case, event: Event, salt: &[u8]) -> Option<Delta> {
        let judgement = judge(case, self.known.perimeter);
        let id = sightings_of(case, &judgement, EventKey(0), Event::default())?.identity.id();
        let key = EventKey::of(&[b"standing\0", id.as_bytes(), b"\0", salt].concat());
        let sightings = sightings_of(case, &judgement, key, event)?;
        Some(Delta { sightings, waiting: Vec::new(), halves: Vec::new() })
    }

    /// What is approved.
    pub fn perimeter(&self) -> &Perimeter {
        self.known.perimeter
    }

    /// A change as its event would be with what it left out; it stays the event that it is.
    ///
    /// # Errors
    /// Where the record cannot be read.
    pub fn completed(&self, record: &str, of: &Pending) -> Result<Pending, String> {
        Ok(Pending { time: of.time, key: of.key, event: of.event.clone(), ..self.pending(record, false)? })
    }

    /// A change out of a journal. `is_unseen`: no event told of it, and the record was made up for it.
    ///
    /// # Errors
    /// Where the record cannot be read.
    pub fn pending(&self, record: &str, is_unseen: bool) -> Result<Pending, String> {
        let read = reread(record.as_bytes(), |record| {
            let mut case = Case::of(record, self.known);
            if let Subject::Change { through_dynamodb, .. } = &mut case.subject {
                *through_dynamodb &= !is_unseen;
            }
            Pending::new(key_of(record), case, Event::of(record), None)
        });
        read.ok_or_else(|| "the record that was kept cannot be read".to_owned())
    }
}

/// A change that makes a finding.
#[derive(Clone, Debug)]
pub struct Found {
    pub delta: Delta,
    /// How it would be undone.
    pub undo: Vec<Edit>,
}

/// ARNs of what an edit changes, as what stood and stands tells them: sorted. An event has a role without its path, and
/// a policy of the organization by its id. None: the event's own are as good.
fn subjects(edit: &Edit, states: [&State; 2], perimeter: &Perimeter) -> Vec<String> {
    let management = perimeter.management_account.as_ref().zip(perimeter.organization.as_ref());
    let of_organization = |kind: &str, id: &str| {
        let (account, organization) = management?;
        Some(format!("arn:aws:organizations::{account}:{kind}/{organization}/{id}"))
    };
    let policy = |id: &str| {
        let kind = states.iter().find_map(|state| state.organization.policies.get(id)?.kind)?;
        of_organization("policy", &format!("{}/{id}", kind.name().to_ascii_lowercase()))
    };
    let node = |id: &str| of_organization(node_kind(id), id);
    let holder = |id: &HolderId| states.iter().find_map(|state| state.holders.get(id)?.arn.clone());
    let mut arns: Vec<Option<String>> = match edit {
        Edit::Gone(id)
        | Edit::Inline { holder: id, .. }
        | Edit::Attached { holder: id, .. }
        | Edit::Boundary { holder: id, .. }
        | Edit::Trust { role: id, .. }
        | Edit::Tagged { holder: id, .. }
        | Edit::Member { user: id, .. } => vec![holder(id)],
        Edit::Control { id, .. } | Edit::ControlGone(id) => vec![policy(id)],
        Edit::ControlAttached { id, target, .. } => vec![policy(id), node(target)],
        // And not the backup or table that it is made from.
        Edit::TableMade { table, .. } | Edit::Replica(table) => vec![Some(table.clone())],
        Edit::Moved { account, .. } | Edit::Left { account } => vec![node(account)],
        _ => Vec::new(),
    };
    arns.sort();
    arns.into_iter().flatten().collect()
}

/// What a node of the organization is called in its ARN.
fn node_kind(id: &str) -> &'static str {
    match id.split('-').next() {
        Some("ou") => "ou",
        Some("r") => "root",
        _ => "account",
    }
}

/// Was it so before, of a role, user or group of which all is known? What an edit leaves out may be anything.
fn is_there_already(edit: &Edit, [before, after]: [&State; 2]) -> bool {
    let holder = match edit {
        Edit::Inline { holder, .. }
        | Edit::Attached { holder, .. }
        | Edit::Boundary { holder, .. }
        | Edit::Trust { role: holder, .. }
        | Edit::Tagged { holder, .. } => holder,
        _ => return false,
    };
    let known = before.holders.get(holder).filter(|known| !known.is_partial && !edit.is_untold());
    known.is_some_and(|known| after.holders.get(holder).is_some_and(|now| now == known))
}

/// What an edit shows, between a state before and one after it.
fn proven(edit: &Edit, between: Between<'_>, now: Timestamp) -> Option<Proven> {
    let by_proof = by_proof(edit, &effect(edit, between, now));
    more_severe(by_text(edit, between.states, between.perimeter), by_proof)
}

/// Of two that are as severe, the first.
fn more_severe(one: Option<Proven>, other: Option<Proven>) -> Option<Proven> {
    match (one, other) {
        (Some(one), Some(other)) if other.rule.severity > one.rule.severity => Some(other),
        (one, other) => one.or(other),
    }
}

const UNGUARDED: &str = "other tables of the account have a resource policy, and this one has none";

/// What of break-glass, endpoints and new tables the texts alone show, beside what stood before.
fn by_text(edit: &Edit, [before, after]: [&State; 2], perimeter: &Perimeter) -> Option<Proven> {
    let found = |rule, why: &str| Some(Proven { rule, why: why.to_owned() });
    match edit {
        Edit::Trust { role, text } if is_break_glass(role, after, perimeter) => {
            let old = before.holders.get(role).and_then(|holder| holder.trust.as_ref());
            let wider = is_wider(old.and_then(Text::as_str), text.as_str());
            if wider {
                found(
                    &rules::BREAK_GLASS_TRUST,
                    "who may become a break-glass role is more than before, as far as the two trust policies tell",
                )
            } else {
                None
            }
        }
        _ if widens(edit, [before, after], perimeter) => found(
            &rules::BREAK_GLASS_TRUST,
            "a break-glass principal may do more than before, as far as its policies tell",
        ),
        Edit::EndpointMade { vpc, policy, .. } if is_approved(vpc.as_deref(), perimeter) => match policy {
            None => found(
                &rules::ENDPOINT_OPENED,
                "the endpoint is in an approved VPC, and its policy lets everything through",
            ),
            Some(_) => None,
        },
        Edit::EndpointPolicy { endpoint, text } => {
            let known = before.endpoints.get(endpoint).map(AsRef::as_ref);
            let of_perimeter = perimeter.endpoints.iter().find(|one| one.id.as_str() == endpoint);
            let vpc =
                known.and_then(|known| known.vpc.as_deref()).or(of_perimeter.map(|one| one.vpc.id.as_str()));
            let is_ours = is_approved(vpc, perimeter);
            (is_ours && lets_more_through(known, text.as_ref())).then(|| Proven {
                rule: &rules::ENDPOINT_OPENED,
                why: "the policy of an endpoint in an approved VPC lets more through than before, as far as the two texts tell".into(),
            })
        }
        Edit::TableMade { table, policy: None, .. } if has_guarded_neighbour(table, before) => {
            found(&rules::UNGUARDED_TABLE, UNGUARDED)
        }
        Edit::Replica(table)
            if !before.tables.contains_key(table) && has_guarded_neighbour(table, before) =>
        {
            found(&rules::UNGUARDED_TABLE, UNGUARDED)
        }
        _ => None,
    }
}

fn is_break_glass(id: &HolderId, state: &State, perimeter: &Perimeter) -> bool {
    let kind = match id.kind {
        HolderKind::Role => "role",
        HolderKind::User => "user",
        HolderKind::Group => return false,
    };
    let arn = state.holders.get(id).and_then(|holder| holder.arn.clone());
    let arn = arn.unwrap_or_else(|| format!("arn:aws:iam::{}:{kind}/{}", id.account, id.name));
    perimeter.speaks_of(&arn)
}

/// A policy that says nothing.
const EMPTY: &str = r#"{"Statement":[]}"#;

/// Does an edit give more to a break-glass principal? Texts are compared by their statements. A principal that the
/// edit makes has nothing before it.
fn widens(edit: &Edit, [before, after]: [&State; 2], perimeter: &Perimeter) -> bool {
    let of = |id: &HolderId| is_break_glass(id, after, perimeter);
    let had = |id: &HolderId| before.holders.get(id);
    match edit {
        Edit::Inline { holder, name, text } if of(holder) => {
            let known = had(holder).and_then(|had| had.inline.get(name));
            let is_whole = had(holder).is_some_and(|had| !had.is_partial);
            let old = known.map_or(is_whole.then_some(EMPTY), Text::as_str);
            match text {
                Some(text) => is_wider(old, text.as_str()),
                // A `Deny` may have gone with it.
                None => known.is_some() && is_wider(old, Some(EMPTY)),
            }
        }
        Edit::Attached { holder, policy, is: true } if of(holder) => {
            !policy.ends_with("/AWSDenyAll") && had(holder).is_none_or(|had| !had.attached.contains(policy))
        }
        Edit::Boundary { holder, policy: None } if of(holder) => {
            had(holder).is_none_or(|had| had.is_partial || had.boundary.is_some())
        }
        Edit::Member { user, group, is: true } if of(user) => {
            had(user).is_none_or(|had| !had.groups.contains(group))
        }
        Edit::Version { policy, is_default: true, .. } | Edit::DefaultVersion { policy, .. } => {
            let text = |state: &State| state.managed.get(policy).map(|managed| managed.text());
            let (old, new) = (text(before), text(after));
            old != new
                && after.holders_of(policy).into_iter().any(of)
                && is_wider(old.as_ref().and_then(Text::as_str), new.as_ref().and_then(Text::as_str))
        }
        _ => false,
    }
}

fn is_approved(vpc: Option<&str>, perimeter: &Perimeter) -> bool {
    vpc.is_some_and(|id| perimeter.vpcs.keys().any(|approved| approved.id == id))
}

/// AWS's default lets everything through, so nothing is more than that.
fn lets_more_through(known: Option<&Endpoint>, text: Option<&Text>) -> bool {
    match (known.map(|known| known.policy.as_ref()), text) {
        (Some(None), _) => false,
        (_, None) => true,
        (Some(Some(old)), Some(new)) => is_wider(old.as_str(), new.as_str()),
        (None, Some(_)) => true,
    }
}

fn has_guarded_neighbour(table: &str, state: &State) -> bool {
    let account = |arn: &str| arn.split(':').nth(4).map(str::to_owned);
    let neighbours =
        state.tables.iter().filter(|(arn, _)| arn.as_str() != table && account(arn) == account(table));
    neighbours.into_iter().any(|(_, neighbour)| neighbour.policy.is_some())
}

/// What the proof shows.
fn by_proof(edit: &Edit, effect: &Effect) -> Option<Proven> {
    let (rule, why) = match effect.kind {
        EffectKind::Nothing => return None,
        EffectKind::Weakened => (
            &rules::GUARD_WEAKENED,
            "nothing is newly allowed from outside, and without the other guards something would be"
                .to_owned(),
        ),
        EffectKind::Exempted => (
            &rules::EXEMPTION_TAG,
            "by that tag a guard lets more through from outside than before".to_owned(),
        ),
        EffectKind::Untold => (
            &rules::CHANGE_UNREADABLE,
            format!("it cannot be told whether that opens the perimeter: it is not known {}", listed(effect)),
        ),
        EffectKind::Removed => (&rules::GUARD_REMOVED, opened(effect)),
        EffectKind::Opened if matches!(edit, Edit::Tagged { .. } | Edit::TableTagged { .. }) => {
            (&rules::PERIMETER_OPENED, format!("by that tag {}", opened(effect)))
        }
        EffectKind::Opened => (&rules::PERIMETER_OPENED, opened(effect)),
    };
    Some(Proven { rule, why })
}

/// Doubts that a sentence names.
const MAX_DOUBTS: usize = 3;

fn listed(effect: &Effect) -> String {
    let named: Vec<&str> = effect.doubts.iter().take(MAX_DOUBTS).map(String::as_str).collect();
    let more = effect.doubts.len().saturating_sub(MAX_DOUBTS);
    let named = named.join(", nor ");
    if more > 0 { format!("{named}, and {more} things more") } else { named }
}

/// What is newly allowed, by one request.
fn opened(effect: &Effect) -> String {
    let Some(first) = effect.opened.first() else {
        return "something is newly allowed from outside".to_owned();
    };
    let request = &first.request;
    let mut blamed: Vec<String> =
        first.blamed.iter().map(|blamed| format!("{}, {}", blamed.policy, blamed.statement)).collect();
    // One policy may stand on several levels.
    blamed.dedup();
    let by = if blamed.is_empty() { String::new() } else { format!(", by {}", blamed.join("; ")) };
    let more = effect.opened.len() - 1;
    let more = if more > 0 { format!("; and {more} more ways in") } else { String::new() };
    format!(
        "from outside, {} may now do {} to {}{by}{more}",
        request.principal, request.action, request.resource
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perimeter::BreakGlass;

    const ALLOW: &str = r#"{"Statement":[{"Effect":"Allow","Action":"dynamodb:*","Resource":"*"}]}"#;
    const LESS: &str = r#"{"Statement":[{"Effect":"Deny","Action":"dynamodb:*","Resource":"*"}]}"#;

    fn id(name: &str) -> HolderId {
        HolderId { account: "111122223333".into(), kind: HolderKind::Role, name: name.into() }
    }

    /// Does each of these edits, one after another, give more to the emergency role?
    fn widening(edits: &[Edit]) -> Vec<bool> {
        let entry = BreakGlass {
            principal: "arn:aws:iam::111122223333:role/emergency".into(),
            unique_ids: Vec::new(),
            tables: Vec::new(),
            window: Default::default(),
            max_session: None,
            ticket: None,
        };
        let perimeter = Perimeter { break_glass: vec![entry], ..Perimeter::default() };
        let mut state = State::default();
        let step = |edit: &Edit| {
            let before = state.clone();
            state.apply(edit);
            widens(edit, [&before, &state], &perimeter)
        };
        edits.iter().map(step).collect()
    }

    #[test]
    fn only_what_is_more_than_before_widens() {
        let inline = |text: Option<&str>| Edit::Inline {
            holder: id("emergency"),
            name: "p".into(),
            text: text.map(Text::known),
        };
        let attached =
            |policy: &str, is: bool| Edit::Attached { holder: id("emergency"), policy: policy.into(), is };
        let told = widening(&[inline(Some(ALLOW)), inline(Some(ALLOW)), inline(Some(LESS)), inline(None)]);
        assert_eq!(told, [true, false, false, true]);
        let (policy, shut) = ("arn:aws:iam::111122223333:policy/p", "arn:aws:iam::aws:policy/AWSDenyAll");
        let told = widening(&[
            attached(policy, true),
            attached(policy, true),
            attached(policy, false),
            attached(shut, true),
        ]);
        assert_eq!(told, [true, false, false, false]);
        let boundary = |policy: Option<&str>| Edit::Boundary {
            holder: id("emergency"),
            policy: policy.map(str::to_owned),
        };
        assert_eq!(widening(&[boundary(Some(policy)), boundary(None)]), [false, true]);
        let other = Edit::Attached { holder: id("ordinary"), policy: policy.into(), is: true };
        assert_eq!(widening(&[other]), [false]);
    }
}
