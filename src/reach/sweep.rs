//! Everything that stands, proven: may anybody reach any table from outside?
//!
//! Work that is the same for many is done once. Where nobody who could exist in an account gets in, its roles and users
//! need not be asked about; where they do, each is asked about for all tables together; and only who gets in is asked
//! about table by table, of which those that no policy tells apart are one.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::thread::Builder;

use jiff::Timestamp;

use super::alike::alike;
use super::alike_callers::alike_callers;
use super::change::Opened;
use super::grants;
use super::policies::{Laid, Layout, Who, owners};
use super::texts::Texts;
use crate::iam::document::{Element, Principal as Grantee, Statement};
use crate::iam::state::{HolderId, HolderKind, State, Text};
use crate::perimeter::{Mode, Perimeter};
use crate::prove::answer::{Answer, Inquiry, STACK, Verdict, Within};
use crate::prove::bundle::{Bundle, Principal};

/// What a sweep is made with.
#[derive(Clone, Copy, Debug)]
pub struct Sweep<'s> {
    pub state: &'s State,
    pub perimeter: &'s Perimeter,
    pub now: Timestamp,
    pub threads: usize,
}

/// What a sweep came to.
#[derive(Debug, Default)]
pub struct Swept {
    /// Accounts in which nobody who could exist gets in.
    pub closed: BTreeSet<String>,
    /// Roles and users that there are, but for service-linked roles, which no policy of the organization binds.
    pub principals: usize,
    pub tables: usize,
    /// Who gets in where, by principal and table; `*`: of every table that is not there yet, or an action that names none.
    pub opened: Vec<Opened>,
    /// Who may get in, and why that cannot be told, by principal.
    pub untold: BTreeMap<String, BTreeSet<String>>,
}

impl Sweep<'_> {
    /// Proves everything.
    pub fn run(&self) -> Swept {
        let mut swept = Swept { tables: self.state.tables.len(), ..Swept::default() };
        let texts = Texts::default();
        let has_tags = speak_of_tags(self.state, &texts);
        let layout = Layout { state: self.state, perimeter: self.perimeter, texts: &texts, has_tags };
        let owners = owners(self.perimeter, |account| layout.binding(account));
        for account in self.accounts(&texts) {
            let ids: Vec<&HolderId> = self.holders(&account).collect();
            swept.principals += ids.len();
            let mut open = Vec::new();
            for owners in &owners {
                open.extend(self.open(&layout, &account, owners, &mut swept).map(|laid| (owners, laid)));
            }
            if open.is_empty() {
                swept.closed.insert(account);
                continue;
            }
            if !self.state.read.contains(&account) {
                let unknown = format!("which roles and users account {account} has");
                swept.untold.entry(account.clone()).or_default().insert(unknown);
            }
            for (owners, laid) in open {
                self.each(&layout, laid, (&account, &ids), owners, &mut swept);
            }
        }
        self.outsiders(&texts, &mut swept);
        swept
            .opened
            .sort_by(|one, other| (&one.principal, &one.table).cmp(&(&other.principal, &other.table)));
        swept
    }

    /// Tables whose policies speak of somebody whom no question is about: everybody, or a stranger.
    fn outsiders(&self, texts: &Texts, swept: &mut Swept) {
        let lets_in = |element: &Element<Grantee>| {
            element.negated || element.items.iter().any(|grantee| self.is_outsider(grantee))
        };
        for (arn, _) in self.state.tables.iter().filter(|(_, table)| grants::lets_in(table, texts, lets_in)) {
            let unknown = "what its policy gives to others than the roles and users of these accounts";
            swept.untold.entry(arn.clone()).or_default().insert(unknown.to_owned());
        }
    }

    fn is_outsider(&self, grantee: &Grantee) -> bool {
        match grantee {
            // Services are asked about by name in bundles; who is gone is nobody.
            Grantee::Service(_) | Grantee::Gone(_) => false,
            grantee => !grants::account_of(grantee).is_some_and(|account| self.perimeter.lists(account)),
        }
    }

    /// Accounts that are held to something, and those that a table's policy lets in.
    fn accounts(&self, texts: &Texts) -> BTreeSet<String> {
        let accounts = self.perimeter.accounts.iter().filter(|(_, (_, mode))| *mode != Mode::Exempt);
        let held = accounts.map(|(account, _)| account.as_str().to_owned());
        held.chain(grants::callers(self.state, self.perimeter, texts)).collect()
    }

    fn holders(&self, account: &str) -> impl Iterator<Item = &HolderId> {
        let of_account = self.state.holders.iter().filter(move |(id, _)| id.account == account);
        let asked = of_account.filter(|(id, holder)| {
            let is_linked = holder.arn.as_deref().is_some_and(|arn| arn.contains(":role/aws-service-role/"));
            id.kind != HolderKind::Group && !is_linked
        });
        asked.map(|(id, _)| id)
    }

    /// Everybody who could exist in the account, and root. Where nobody gets in to these owners' tables, that is all there is
    /// to ask; else what root may do is taken in, and what was laid out is asked about further.
    fn open(
        &self,
        layout: &Layout<'_>,
        account: &str,
        owners: &BTreeSet<String>,
        swept: &mut Swept,
    ) -> Option<Laid> {
        let laid = layout.together(&Who::Everybody { account: account.to_owned() }, owners);
        let mut answers = self.answers(&laid.bundle, account, owners, None);
        let is_in = |answer: &Answer| matches!(answer.verdict, Verdict::Open | Verdict::Unknown);
        if laid.gaps.is_empty() && !answers.iter().any(is_in) {
            return None;
        }
        answers.retain(|answer| answer.principal != "*");
        note(answers, &laid, &laid.doubts, swept);
        Some(laid)
    }

    /// Those who are there: for all tables together, and who gets in for each.
    fn each(
        &self,
        layout: &Layout<'_>,
        laid: Laid,
        (account, ids): (&str, &[&HolderId]),
        owners: &BTreeSet<String>,
        swept: &mut Swept,
    ) {
        let (mut laid, doubts) = layout.of_all(laid, ids);
        let groups = Group::all(&mut laid, doubts, self.perimeter);
        let answers = worst(self.answers(&laid.bundle, account, owners, None));
        let mut open = Vec::new();
        for (group, answer) in groups.iter().zip(answers) {
            if answer.verdict == Verdict::Open && group.doubts(&laid).all(|doubts| doubts.is_empty()) {
                open.push((group, answer));
            } else {
                group.note(&answer, &laid, swept);
            }
        }
        if open.is_empty() {
            return;
        }
        let tables = layout.each(&Who::Everybody { account: account.to_owned() }, owners, None);
        let share = open.len().div_ceil(self.threads.max(1));
        let work = |some: &[(&Group, Answer)]| {
            let mut bundle = tables.bundle.clone();
            let of = |(group, answer): &(&Group, Answer)| {
                self.by_table(&group.first, answer, (account, owners), &mut bundle)
            };
            some.iter().map(of).collect::<Vec<_>>()
        };
        let found: Vec<Vec<Answer>> = std::thread::scope(|scope| {
            let spawn =
                |some| (some, Builder::new().stack_size(STACK).spawn_scoped(scope, move || work(some)));
            let workers: Vec<_> = open.chunks(share).map(spawn).collect();
            let joined = workers.into_iter().flat_map(|(some, worker)| match worker {
                Ok(worker) => worker.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // Where there can be no more threads, this one does it.
                Err(_) => work(some),
            });
            joined.collect()
        });
        for ((group, _), answers) in open.iter().zip(found) {
            answers.iter().for_each(|answer| group.note(answer, &tables, swept));
        }
    }

    /// Each table for one who gets in: of those that nothing tells apart, one.
    fn by_table(
        &self,
        principal: &Principal,
        together: &Answer,
        (account, owners): (&str, &BTreeSet<String>),
        bundle: &mut Bundle,
    ) -> Vec<Answer> {
        bundle.principals = vec![principal.clone()];
        let alike: BTreeMap<String, Vec<String>> = alike(bundle, self.perimeter)
            .into_iter()
            .filter_map(|places| {
                let arns = places.iter().filter_map(|n| bundle.tables.get(*n)).map(|table| table.arn.clone());
                let arns: Vec<String> = arns.collect();
                Some((arns.first()?.clone(), arns))
            })
            .collect();
        let asked: BTreeSet<String> = alike.keys().cloned().collect();
        let mut found = Vec::new();
        for one in self.answers(bundle, account, owners, Some(&asked)) {
            let of = alike.get(&one.table).into_iter().flatten();
            found.extend(of.map(|table| Answer { table: table.clone(), ..one.clone() }));
        }
        if !found.iter().any(|answer| answer.verdict == Verdict::Open) {
            found.push(together.clone());
        }
        found
    }

    /// Answers for all of a bundle's principals: to all tables together, or to some.
    fn answers(
        &self,
        bundle: &Bundle,
        account: &str,
        owners: &BTreeSet<String>,
        asked: Option<&BTreeSet<String>>,
    ) -> Vec<Answer> {
        let (callers, all) = (BTreeSet::from([account.to_owned()]), BTreeSet::from(["*".to_owned()]));
        // Where no entry stands for all tables, each is asked about.
        let all = bundle.tables.iter().any(|table| table.arn == "*").then_some(&all);
        let within = Within { callers: Some(&callers), resources: Some(owners), tables: asked.or(all) };
        let (perimeter, now, threads) = (self.perimeter, self.now, self.threads);
        Inquiry { bundle, perimeter, now, baseline: None, explain: false, threads, within }.answers()
    }
}

/// May any policy that may be about DynamoDB speak of the tags of what is asked for?
fn speak_of_tags(state: &State, texts: &Texts) -> bool {
    let is_tag = |text: &str| text.to_ascii_lowercase().contains("resourcetag/");
    let speaks = |statement: &Statement| {
        let keys = statement.conditions.iter().map(|condition| &condition.key);
        let values = statement.conditions.iter().flat_map(|condition| &condition.texts);
        let resources = statement.resources.items.iter().map(|item| &item.text);
        statement.may_be_of("dynamodb") && keys.chain(values).chain(resources).any(|text| is_tag(text))
    };
    state.texts().any(|(text, kind)| match text {
        Text::Known(text) => {
            texts.read(&text, kind).is_ok_and(|document| document.statements.iter().any(speaks))
        }
        Text::Untold => false,
    })
}

/// Roles and users that no policy tells apart.
struct Group {
    first: Principal,
    /// The ARN of each, and what is not known of it.
    members: Vec<(String, BTreeSet<String>)>,
}

impl Group {
    /// Leaves the first of each group in the bundle.
    fn all(laid: &mut Laid, doubts: Vec<BTreeSet<String>>, perimeter: &Perimeter) -> Vec<Self> {
        let places = alike_callers(&laid.bundle, perimeter);
        let principals = &laid.bundle.principals;
        let group = |places: &Vec<usize>| {
            let member = |n: &usize| Some((principals.get(*n)?.arn.clone(), doubts.get(*n)?.clone()));
            let first = principals.get(*places.first()?)?.clone();
            Some(Self { first, members: places.iter().filter_map(member).collect() })
        };
        let groups: Vec<Self> = places.iter().filter_map(group).collect();
        laid.bundle.principals = groups.iter().map(|group| group.first.clone()).collect();
        groups
    }

    /// What is not known of each of them.
    fn doubts<'g>(&'g self, laid: &'g Laid) -> impl Iterator<Item = BTreeSet<String>> + 'g {
        self.members.iter().map(|(_, doubts)| doubts | &laid.doubts)
    }

    /// Takes in an answer about the first of them, for each.
    fn note(&self, answer: &Answer, laid: &Laid, swept: &mut Swept) {
        for ((arn, _), doubts) in self.members.iter().zip(self.doubts(laid)) {
            note(vec![self.of_member(answer, arn)], laid, &doubts, swept);
        }
    }

    fn of_member(&self, answer: &Answer, arn: &str) -> Answer {
        let mut answer = Answer { principal: arn.to_owned(), ..answer.clone() };
        if let Some(request) = &mut answer.witness {
            arn.clone_into(&mut request.principal);
            let values = request.context.iter_mut().map(|(_, values)| values);
            values.for_each(|values| values.replace(&self.first.arn, arn));
        }
        answer
    }
}

/// Of the answers for each principal, which come one behind another, the worst.
fn worst(answers: Vec<Answer>) -> Vec<Answer> {
    let mut worst: Vec<Answer> = Vec::new();
    for answer in answers {
        match worst.last_mut().filter(|last| last.principal == answer.principal) {
            Some(last) => last.join(answer),
            None => worst.push(answer),
        }
    }
    worst
}

/// Takes in answers: ways in, and what cannot be told. An `open` that may be due to what is not known is not sure.
fn note(answers: Vec<Answer>, laid: &Laid, doubts: &BTreeSet<String>, swept: &mut Swept) {
    for answer in answers {
        let mut untold = |why: String| {
            swept.untold.entry(answer.principal.clone()).or_default().insert(why);
        };
        match (answer.verdict, answer.witness) {
            (Verdict::Open, Some(request)) if doubts.is_empty() => swept.opened.push(Opened {
                principal: answer.principal,
                table: answer.table,
                request,
                blamed: answer.blamed,
            }),
            (Verdict::Open, _) => doubts.iter().cloned().for_each(untold),
            (Verdict::Unknown, _) => untold(answer.reason.unwrap_or_default()),
            (Verdict::Enforced | Verdict::BreakGlassOnly | Verdict::NoAccess, _) => {
                laid.gaps.iter().cloned().for_each(untold);
            }
        }
    }
}
