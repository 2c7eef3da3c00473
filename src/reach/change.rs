//! What a change does to who reaches what from outside: before it and after it, with every guard in force.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::policies::{Laid, Layout, Who, owners};
pub use super::scope::Between;
use super::scope::{Scope, scope};
use crate::iam::state::{Edit, HolderId, HolderKind, State};
use crate::ids::Arn;
use crate::perimeter::Perimeter;
use crate::prove::answer::{Answer, Inquiry, Verdict, Within};
use crate::prove::blame::Blamed;
use crate::prove::bundle::{Asked, Bundle};
use crate::prove::space::asks_tags;

/// Ways in that an effect names.
const MAX_OPENED: usize = 16;

/// What a change does.
#[derive(Clone, Debug)]
pub struct Effect {
    pub kind: EffectKind,
    /// Ways in that there were not before, some of them where there are many.
    pub opened: Vec<Opened>,
    /// What is not known and has a say in it: phrases that go on "it is not known …".
    pub doubts: BTreeSet<String>,
}

/// What a change does, in a word. In the order of how bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum EffectKind {
    /// Nothing is newly allowed from outside, and every guard refuses what it did.
    Nothing,
    /// A guard refuses less than before, and others still hold.
    Weakened,
    /// By a tag the guards let through whoever has it, and only their own policies keep them out.
    Exempted,
    /// It cannot be told.
    Untold,
    /// Something is newly allowed from outside.
    Opened,
    /// The same, because a guard was taken away.
    Removed,
}

/// A way in.
#[derive(Clone, Debug)]
pub struct Opened {
    pub principal: String,
    /// Its ARN; `*`: of a table that is not there yet, or an action that names none.
    pub table: String,
    /// A request that is allowed now, and was not.
    pub request: Asked,
    /// The statements that let it through.
    pub blamed: Vec<Blamed>,
}

/// What an edit does.
pub fn effect(edit: &Edit, between: Between<'_>, now: Timestamp) -> Effect {
    let Between { states: [before, after], perimeter, texts } = between;
    let scope = scope(edit, between);
    let layout = |state| Layout { state, perimeter, texts, has_tags: true };
    let stays_above = !edit.is_of_organization() && !scope.is_tag;
    let untagged = untagged(edit, after);
    let untagged = layout(untagged.as_ref().unwrap_or(before));
    let (before, after) = (layout(before), layout(after));
    Comparison { before, untagged, after, perimeter, scope, stays_above, now }.effect()
}

/// With who is made as it would be without its tags: what they do is beside that, and not beside nobody.
fn untagged(edit: &Edit, after: &State) -> Option<State> {
    let Edit::Made(made) = edit else { return None };
    let mut state = after.clone();
    state.holders.get_mut(&made.holder)?.tags.clear();
    Some(state)
}

/// A state before and one after, and what is asked of both.
struct Comparison<'c> {
    before: Layout<'c>,
    /// What a tag is compared with.
    untagged: Layout<'c>,
    after: Layout<'c>,
    perimeter: &'c Perimeter,
    scope: Scope,
    /// The edit leaves what the organization's policies make of a request as it is, whatever they say.
    stays_above: bool,
    now: Timestamp,
}

/// What a question comes to.
#[derive(Debug, Default)]
struct Found {
    opened: Vec<Opened>,
    doubts: BTreeSet<String>,
    /// Why some of it cannot be told.
    untold: BTreeSet<String>,
}

impl Comparison<'_> {
    fn effect(&self) -> Effect {
        let mut found = Found::default();
        for who in &self.scope.who {
            for owners in self.owners() {
                self.newly_allowed(who, &owners, &mut found);
            }
        }
        let Found { mut opened, mut doubts, untold } = found;
        opened.truncate(MAX_OPENED);
        let kind = match (opened.is_empty(), doubts.is_empty() && untold.is_empty()) {
            (false, true) if self.scope.is_removal => EffectKind::Removed,
            (false, true) => EffectKind::Opened,
            (false, false) => EffectKind::Untold,
            (true, _) if !untold.is_empty() => EffectKind::Untold,
            (true, _) => self.lesser(),
        };
        doubts.extend(untold);
        Effect { kind, opened, doubts }
    }

    /// Accounts with tables, those together whose tables the same policies bind, before and after.
    fn owners(&self) -> Vec<BTreeSet<String>> {
        let binding = |account: &str| (self.before.binding(account), self.after.binding(account));
        let owner = self.scope.table.as_deref().and_then(Arn::parse).map(|arn| arn.account);
        let groups = owners(self.perimeter, binding).into_iter();
        groups.filter(|group| owner.is_none_or(|owner| group.contains(owner))).collect()
    }

    /// What somebody may newly do from outside. Where everybody who could exist may do it already, those who do
    /// exist are asked about one by one.
    fn newly_allowed(&self, who: &Who, owners: &BTreeSet<String>, found: &mut Found) {
        let opened_before = found.opened.len();
        let is_open = self.asked(who, owners, found);
        let Who::Everybody { account } = who else { return };
        if !is_open || found.opened.len() > opened_before {
            return;
        }
        let there = |id: &HolderId| id.account == *account && id.kind != HolderKind::Group;
        for id in self.after.state.holders.keys().filter(|id| there(id)) {
            self.asked(&Who::Holder(id.clone()), owners, found);
        }
    }

    /// What stood and what stands, with the one table that is asked about, or all of them together.
    fn laid(&self, who: &Who, owners: &BTreeSet<String>) -> [Laid; 2] {
        [&self.before, &self.after].map(|layout| {
            let mut laid = match self.scope.table.as_deref() {
                table @ Some(_) => layout.each(who, owners, table),
                None => layout.together(who, owners),
            };
            if asks_tags(&laid.bundle) {
                laid.doubts.extend(self.scope.unknown_tags.clone());
            }
            laid
        })
    }

    /// The entry of the bundle that is asked about; `None`: each.
    fn asked_table(&self, owners: &BTreeSet<String>) -> Option<BTreeSet<String>> {
        let all = self.after.asks_all(owners).then_some("*");
        let only = self.scope.table.as_deref().or(all)?;
        Some(BTreeSet::from([only.to_owned()]))
    }

    /// Asks for what is newly allowed. Returns whether anything is allowed from outside at all.
    fn asked(&self, who: &Who, owners: &BTreeSet<String>, found: &mut Found) -> bool {
        let [before, after] = self.laid(who, owners);
        let within = Accounts::of(who, owners);
        let only = self.asked_table(owners);
        let together = within.asking(only.as_ref());
        let answers = self.answers(&before, &after, together);
        let open = |answers: &[Answer]| answers.iter().any(|answer| answer.verdict == Verdict::Open);
        if !open(&answers) {
            note(&answers, &after, found);
            return answers_of(&after.bundle, None, self, together)
                .iter()
                .any(|answer| matches!(answer.verdict, Verdict::Open | Verdict::Unknown));
        }
        if self.scope.table.is_none() && only.is_some() {
            let (before, after) = (self.before.each(who, owners, None), self.after.each(who, owners, None));
            let named = self.answers(&before, &after, within.asking(None));
            if open(&named) {
                note(&named, &after, found);
                return true;
            }
        }
        note(&answers, &after, found);
        true
    }

    /// What is not known of how it was is taken for nothing that was allowed. But what stays above an account is the same
    /// before and after, whatever it says, and as it only takes away, nothing is new for it.
    fn answers(&self, before: &Laid, after: &Laid, within: Within<'_>) -> Vec<Answer> {
        let is_known = |doubt: &String| self.stays_above && before.above.contains(doubt);
        let baseline = before.doubts.iter().all(is_known).then_some(&before.bundle);
        answers_of(&after.bundle, baseline, self, within)
    }

    /// What a change does by which nothing is newly allowed: to one guard alone, as if there were no other.
    fn lesser(&self) -> EffectKind {
        let beside = || Comparison { before: self.untagged, scope: self.scope.clone(), ..*self };
        if self.scope.is_tag && beside().allows_more(Self::tagged) {
            return EffectKind::Exempted;
        }
        match self.scope.guard {
            Some(guard) if self.allows_more(|laid| laid.only(guard)) => EffectKind::Weakened,
            Some(_) | None => EffectKind::Nothing,
        }
    }

    /// Whoever has these tags, whatever its own policies are.
    fn tagged(mut laid: Laid) -> Laid {
        for principal in &mut laid.bundle.principals {
            principal.identity = None;
            principal.boundary = None;
        }
        laid
    }

    fn allows_more(&self, of: impl Fn(Laid) -> Laid) -> bool {
        // By the tags that are set alone: what a session brings along is the same before and after.
        let mut perimeter = self.perimeter.clone();
        perimeter.prove.session_tags_none |= self.scope.is_tag;
        let asked = Comparison { perimeter: &perimeter, scope: self.scope.clone(), ..*self };
        asked.scope.who.iter().any(|who| {
            asked.owners().iter().any(|owners| {
                let [before, after] = asked.laid(who, owners).map(&of);
                let within = Accounts::of(who, owners);
                let only = asked.asked_table(owners);
                let answers =
                    answers_of(&after.bundle, Some(&before.bundle), &asked, within.asking(only.as_ref()));
                answers.iter().any(|answer| answer.verdict == Verdict::Open)
            })
        })
    }
}

/// The accounts that `*` stands for in a question.
struct Accounts {
    callers: BTreeSet<String>,
    resources: BTreeSet<String>,
}

impl Accounts {
    fn of(who: &Who, owners: &BTreeSet<String>) -> Self {
        Self { callers: BTreeSet::from([who.account().to_owned()]), resources: owners.clone() }
    }

    fn asking<'a>(&'a self, tables: Option<&'a BTreeSet<String>>) -> Within<'a> {
        Within { callers: Some(&self.callers), resources: Some(&self.resources), tables }
    }
}

fn answers_of(
    bundle: &Bundle,
    baseline: Option<&Bundle>,
    asked: &Comparison<'_>,
    within: Within<'_>,
) -> Vec<Answer> {
    let inquiry = Inquiry {
        bundle,
        perimeter: asked.perimeter,
        now: asked.now,
        baseline,
        explain: false,
        threads: 1,
        within,
    };
    inquiry.answers()
}

/// Takes in answers: ways in, and what cannot be told.
fn note(answers: &[Answer], laid: &Laid, found: &mut Found) {
    for answer in answers {
        match (answer.verdict, &answer.witness) {
            (Verdict::Open, Some(request)) => {
                found.opened.push(Opened {
                    principal: answer.principal.clone(),
                    table: answer.table.clone(),
                    request: request.clone(),
                    blamed: answer.blamed.clone(),
                });
                found.doubts.extend(laid.doubts.iter().cloned());
            }
            (Verdict::Unknown, _) => found.untold.extend(answer.reason.clone()),
            _ => {}
        }
    }
    found.untold.extend(laid.gaps.iter().cloned());
}
