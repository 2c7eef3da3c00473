//! Everything that the questions about one bundle share, and their answers.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::actions::make_ready;
use super::answer::{Answer, Inquiry, Verdict};
use super::break_glass::break_glass;
use super::bundle::{Bundle, Principal, Table};
use super::explain::{KeptOut, kept_out};
use super::question::{Guarded, Question, Which};
use super::rules::{Rule, rules};
use super::solve::Excluded;
use super::space::{Callers, Space};
use super::stage::Came;
use super::strings::Budget;
use crate::iam::evaluate::{Layer, Policy};

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
        let Inquiry { bundle, perimeter, now, baseline, explain, .. } = *inquiry;
        let space = Space::new(bundle, baseline, perimeter, perimeter.prove.now.unwrap_or(now));
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
        let before = self.old.as_ref().and_then(|old| old.bundle.principal(&principal.arn));
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
        for table in &self.bundle.tables {
            let new = self.new.guarded(Some(principal), table, &own);
            let old = self.old.as_ref().map(|old| {
                // A table that the old set does not have could not be reached.
                let known = before.filter(|_| old.bundle.table(&table.arn).is_some());
                old.guarded(known, table, &own_before)
            });
            let question = Question::new(&self.space, table, callers, &self.break_glass, new, old);
            let mut answer = answer(&question, principal);
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
