//! Everything that the questions about one bundle share, and their answers.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::actions::make_ready;
use super::answer::{Answer, Inquiry, Verdict};
use super::break_glass::break_glass;
use super::bundle::{Asked, Bundle, Principal, Table};
use super::explain::{KeptOut, kept_out};
use super::question::{Guarded, Question, Which};
use super::rules::{Rule, rules};
use super::simulate::{decide, decide_as};
use super::solve::Excluded;
use super::space::{Callers, Space, has_tags};
use super::stage::Came;
use super::strings::Budget;
use crate::iam::evaluate::{Layer, Outcome, Policy};
use crate::iam::request::{CallerKind, Values, caller_of};

/// Steps of one question; beyond, the answer is unknown.
const STEPS: u64 = 5_000_000;

/// What questions about a bundle share.
#[derive(Debug)]
pub struct Prover<'b> {
    bundle: &'b Bundle,
    space: Space<'b>,
    break_glass: Vec<Excluded>,
    new: Shared<'b>,
    old: Option<Shared<'b>>,
    explain: bool,
}

/// The statements of a bundle that its principals share.
#[derive(Debug)]
struct Shared<'b> {
    bundle: &'b Bundle,
    /// Of the organization and of endpoints.
    everywhere: Vec<Rule<'b>>,
    /// Of each table.
    tables: Vec<Vec<Rule<'b>>>,
}

impl<'b> Prover<'b> {
    /// Makes ready what is shared.
    pub fn new(inquiry: &Inquiry<'b>) -> Self {
        make_ready();
        let Inquiry { bundle, perimeter, now, baseline, explain, within, threads: _ } = *inquiry;
        let space = Space::new((bundle, baseline), perimeter, within, perimeter.prove.now.unwrap_or(now));
        let break_glass = break_glass(perimeter, space.now);
        Self { bundle, space, break_glass, new: Shared::new(bundle), old: baseline.map(Shared::new), explain }
    }

    /// The answers for some principals, by their places, and every table.
    pub fn answers(&self, principals: Range<usize>) -> Vec<Answer> {
        let entries = principals.filter_map(|n| Some((n, self.bundle.principals.get(n)?)));
        entries.flat_map(|(n, principal)| self.of(n, principal)).collect()
    }

    fn of(&self, n: usize, principal: &'b Principal) -> Vec<Answer> {
        let callers = self.space.callers(n, principal);
        let before = self.old.as_ref().and_then(|old| self.entry_before(old.bundle, principal));
        let mut answers = self.of_callers(principal, &callers, before);
        for named in self.only_before(principal) {
            let callers = self.space.callers(n, named);
            let more = self.of_callers(principal, &callers, Some(named));
            for (answer, more) in answers.iter_mut().zip(more) {
                answer.join(more);
            }
        }
        answers
    }

    /// What the old set knew of a principal: its own entry, else that of everybody, where it is one of those.
    fn entry_before(&self, old: &'b Bundle, principal: &Principal) -> Option<&'b Principal> {
        let own = old.principals.iter().find(|entry| entry.arn == principal.arn);
        own.or_else(|| old.principal("*").filter(|_| self.space.is_enforced(principal)))
    }

    /// Could a table be reached by the old set at all: is it there, or one of those that `*` stands for?
    fn is_table_before(&self, old: &Bundle, table: &Table) -> bool {
        let is_everything = table.arn == "*" || self.space.is_table_enforced(&table.arn);
        old.tables.iter().any(|known| known.arn == table.arn || known.arn == "*" && is_everything)
    }

    /// Is a fact of whom or what is asked about another one in the old set: its tags, or which session it is? Then one
    /// request is not the same request in both.
    fn is_other(&self, principal: &Principal, before: &Principal, table: &Table) -> bool {
        let Some(old) = &self.old else { return false };
        let were = |known: &Option<Vec<_>>, tags: &Option<Vec<_>>| known.is_some() && known != tags;
        let own = self.space.perimeter.prove.session_tags_none && were(&before.tags, &principal.tags);
        let session = before.session_arn.is_some() && before.session_arn != principal.session_arn;
        let is_meant = |one: &&Table| table.arn == "*" || one.arn == table.arn;
        let tables =
            self.bundle.tables.iter().filter(is_meant).any(|table| {
                old.bundle.table(&table.arn).is_some_and(|known| were(&known.tags, &table.tags))
            });
        own || session || (tables && self.space.asks_tags)
    }

    /// The answer to what is allowed now, as one to what is new: where the request that was found was denied before,
    /// with the facts of then.
    fn beside(&self, mut answer: Answer, before: &Principal) -> Answer {
        answer.is_of_baseline = true;
        match (answer.verdict, &answer.witness, &self.old) {
            (Verdict::Open, Some(asked), Some(old)) if !self.was_denied(old.bundle, before, asked) => {
                answer.verdict = Verdict::Unknown;
                answer.reason = Some("its tags or its session differ in the two sets, and what is open now may have been so before".into());
                (answer.witness, answer.blamed) = (None, Vec::new());
            }
            (Verdict::Open | Verdict::Unknown, ..) => {}
            (Verdict::Enforced | Verdict::BreakGlassOnly | Verdict::NoAccess, ..) => {
                answer.verdict = Verdict::Enforced;
                (answer.witness, answer.blamed) = (None, Vec::new());
            }
        }
        answer
    }

    /// Did the old set surely deny a request, by the tags of then?
    fn was_denied(&self, old: &Bundle, before: &Principal, asked: &Asked) -> bool {
        let mut then = asked.clone();
        let tables = old.tables.iter().filter(|table| carries_tags_of(&asked.resource, &table.arn));
        let table = tables.max_by_key(|table| table.arn.len());
        let is_tagged = caller_of(&before.arn)
            .is_none_or(|caller| !matches!(caller.kind, CallerKind::Root | CallerKind::Service));
        let is_known = self.space.perimeter.prove.session_tags_none && is_tagged;
        let own = before.tags.as_deref().filter(|_| is_known);
        for (prefix, tags) in
            [("aws:PrincipalTag/", own), ("aws:ResourceTag/", table.and_then(|table| table.tags.as_deref()))]
        {
            let Some(tags) = tags else { continue };
            then.context
                .retain(|(key, _)| !key.to_ascii_lowercase().starts_with(&prefix.to_ascii_lowercase()));
            let keys = tags.iter().map(|(tag, value)| (format!("{prefix}{tag}"), Values::One(value.clone())));
            then.context.extend(keys);
        }
        let decided = match before.arn.as_str() {
            "*" => decide(old, self.space.perimeter, &then),
            _ => decide_as(old, self.space.perimeter, &then, before),
        };
        decided.is_ok_and(|(_, decision)| decision.outcome != Outcome::Allow && decision.otherwise.is_none())
    }

    /// Those who have an entry in the old set alone, and are some of all whom `*` stands for in this.
    fn only_before(&self, principal: &Principal) -> impl Iterator<Item = &'b Principal> {
        let old = self.old.as_ref().filter(|_| principal.arn == "*");
        let entries = old.into_iter().flat_map(|old| &old.bundle.principals);
        entries.filter(|entry| {
            entry.arn != "*"
                && self.space.is_enforced(entry)
                && !self.bundle.principals.iter().any(|known| known.arn == entry.arn)
        })
    }

    /// The answers for some callers, who are now as one entry says, and were as another.
    fn of_callers(
        &self,
        principal: &'b Principal,
        callers: &[Callers],
        before: Option<&'b Principal>,
    ) -> Vec<Answer> {
        let mut began = Instant::now();
        let own = own_rules(principal);
        let own_before = before.map(own_rules).unwrap_or_default();
        let mut answers = Vec::new();
        let is_asked =
            |table: &&Table| self.space.within.tables.is_none_or(|asked| asked.contains(&table.arn));
        for table in self.bundle.tables.iter().filter(is_asked) {
            let new = self.new.guarded(Some(principal), table, &own);
            let other = before.filter(|before| self.is_other(principal, before, table));
            let old = self.old.as_ref().filter(|_| other.is_none()).map(|old| {
                // A table that the old set does not have could not be reached.
                let known = before.filter(|_| self.is_table_before(old.bundle, table));
                old.guarded(known, table, &own_before)
            });
            let question = Question::new(&self.space, table, callers, &self.break_glass, new, old);
            let mut answer = answer(&question, principal);
            if let Some(before) = other {
                answer = self.beside(answer, before);
            }
            if let Some(missed) = self.missed_sessions(principal) {
                answer = without_sessions(answer, missed);
            }
            answer.took = began.elapsed();
            if self.explain {
                answer.kept_out = explanation(&question, answer.verdict);
            }
            answers.push(answer);
            began = Instant::now();
        }
        answers
    }
}

impl Prover<'_> {
    /// Of whom `*` stands for: a role that the bundle speaks of by one session alone. Nobody asks about its others.
    fn missed_sessions(&self, principal: &Principal) -> Option<&str> {
        let entries = || self.bundle.principals.iter();
        let is_session = |entry: &Principal| entry.session_arn.is_some() || entry.session.is_some();
        let is_whole = |arn: &str| entries().any(|entry| entry.arn == arn && !is_session(entry));
        let mut sessions = entries().filter(|_| principal.arn == "*");
        let missed = sessions
            .find(|entry| is_session(entry) && self.space.is_enforced(entry) && !is_whole(&entry.arn))?;
        Some(&missed.arn)
    }
}

/// What would be closed, and leaves out the other sessions of a role.
fn without_sessions(mut answer: Answer, role: &str) -> Answer {
    if !matches!(answer.verdict, Verdict::Open | Verdict::Unknown) {
        answer.verdict = Verdict::Unknown;
        answer.reason = Some(format!(
            "`{role}` is in the bundle by one of its sessions alone, and its others are asked about by nothing: add an entry for the role without a session"
        ));
        (answer.witness, answer.blamed) = (None, Vec::new());
    }
    answer
}

/// Has a request for the resource the tags of the table?
fn carries_tags_of(resource: &str, table: &str) -> bool {
    let beneath = resource.strip_prefix(table).map(|rest| rest.split('/').nth(1).unwrap_or("table"));
    resource == table || is_beneath(resource, table) && beneath.is_some_and(has_tags)
}

impl<'b> Shared<'b> {
    fn new(bundle: &'b Bundle) -> Self {
        let service = bundle.service_control.iter().enumerate();
        let service = service.flat_map(|(level, policies)| rules(Layer::ServiceControl { level }, policies));
        let resource = bundle.resource_control.iter().enumerate();
        let resource =
            resource.flat_map(|(level, policies)| rules(Layer::ResourceControl { level }, policies));
        let endpoints = bundle.endpoints.iter().filter_map(|endpoint| endpoint.policy.as_ref());
        let endpoints = endpoints.flat_map(|policy| rules(Layer::Endpoint, std::slice::from_ref(policy)));
        let everywhere = service.chain(resource).chain(endpoints).collect();
        let of_table = |table: &'b Table| rules(Layer::Resource, list(table.policy.as_ref())).collect();
        Self { bundle, everywhere, tables: bundle.tables.iter().map(of_table).collect() }
    }

    /// The policies between a principal and a table, and their statements.
    fn guarded<'q>(
        &'q self,
        principal: Option<&'b Principal>,
        table: &Table,
        own: &'q [Rule<'b>],
    ) -> (Guarded<'b>, Vec<&'q Rule<'b>>) {
        let tables = self.bundle.tables.iter().zip(&self.tables);
        let has_say = |of: &Table| {
            table.arn == "*" || of.arn == "*" || of.arn == table.arn || is_beneath(&of.arn, &table.arn)
        };
        let of_tables = tables.filter(|(of, _)| has_say(of)).flat_map(|(_, rules)| rules);
        let rules = self.everywhere.iter().chain(of_tables).chain(own).collect();
        (Guarded { bundle: self.bundle, principal, lines: 0..0 }, rules)
    }
}

/// Is this a stream of the table?
fn is_beneath(arn: &str, table: &str) -> bool {
    arn.strip_prefix(table).is_some_and(|rest| rest.starts_with('/'))
}

fn list(policy: Option<&Policy>) -> &[Policy] {
    policy.map(std::slice::from_ref).unwrap_or_default()
}

/// The statements of a principal's own policies.
fn own_rules(principal: &Principal) -> Vec<Rule<'_>> {
    let identity = rules(Layer::Identity, principal.identity.as_deref().unwrap_or_default());
    let boundary = rules(Layer::Boundary, list(principal.boundary.as_ref()));
    let session = rules(Layer::Session, principal.session.as_deref().unwrap_or_default());
    identity.chain(boundary).chain(session).collect()
}

fn answer(question: &Question<'_, '_>, principal: &Principal) -> Answer {
    let mut answer = Answer {
        principal: principal.arn.clone(),
        table: question.table.arn.clone(),
        verdict: Verdict::Unknown,
        witness: None,
        blamed: Vec::new(),
        reason: None,
        kept_out: Vec::new(),
        is_of_baseline: question.old.is_some(),
        took: Duration::ZERO,
    };
    let mut budget = Budget(STEPS);
    let resources = match question.resources() {
        Ok(resources) => resources,
        Err(hard) => {
            answer.reason = Some(hard.to_string());
            return answer;
        }
    };
    if resources.iter().all(Vec::is_empty) {
        answer.reason = Some(nobody(question));
        return answer;
    }
    let stages = question.stages(&resources);
    for (which, verdict) in searches(question) {
        match question.search(which, &stages, &mut budget) {
            Came::Witness(asked) => {
                if which != Which::Any {
                    answer.blamed = question.blamed(&asked);
                    answer.witness = Some(asked);
                }
                answer.verdict = verdict;
                return answer;
            }
            Came::Nothing => {}
            // Nothing comes in from outside; whether anything does from inside need not be known for that.
            Came::Unknown(_) if which == Which::Any => {
                answer.verdict = verdict;
                return answer;
            }
            Came::Unknown(reason) => {
                answer.reason = Some(reason);
                return answer;
            }
        }
    }
    answer.verdict = if question.old.is_some() { Verdict::Enforced } else { Verdict::NoAccess };
    answer
}

/// Why there is nothing to ask about.
fn nobody(question: &Question<'_, '_>) -> String {
    if question.callers.is_empty() {
        "no account is enforced, so `*` stands for nobody".to_owned()
    } else {
        format!("`{}` is no table or stream of DynamoDB", question.table.arn)
    }
}

/// What is searched for, and what it means where it is found. The first that is found decides.
fn searches(question: &Question<'_, '_>) -> Vec<(Which, Verdict)> {
    let mut searches = vec![(Which::Outside, Verdict::Open)];
    if question.old.is_none() {
        if question.has_break_glass() {
            searches.push((Which::OutsideByBreakGlass, Verdict::BreakGlassOnly));
        }
        searches.push((Which::Any, Verdict::Enforced));
    }
    searches
}

/// What keeps requests out, by what was found.
fn explanation(question: &Question<'_, '_>, verdict: Verdict) -> Vec<KeptOut> {
    match verdict {
        Verdict::Open => Vec::new(),
        Verdict::NoAccess => kept_out(question, Which::Any),
        Verdict::Enforced | Verdict::BreakGlassOnly | Verdict::Unknown => kept_out(question, Which::Outside),
    }
}
