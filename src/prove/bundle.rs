//! A bundle: every policy that has a say in who reaches which table, in one JSON text.
//!
//! The shape is that of interface.md, and so are its rules: `identity` that is absent allows
//! everything, `[]` is none; `"arn": "*"` stands for every role and user, or for every table.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;

use crate::iam::document::{Document, Kind, Problem};
use crate::iam::evaluate::{OwnText, Policy};
use crate::iam::request::{Values, caller_of};
use crate::iam::size;
use crate::ids::{Arn, is_account};
use crate::json::lines::Lines;
use crate::json::{self, Member, Node, Tree};
use crate::perimeter::Perimeter;
use crate::perimeter::config;

/// The longest bundle that is read, in bytes: an account's whole export is about a tenth of it.
pub const MAX_BYTES: usize = 256 << 20;

/// Levels of an organization: the root, units five deep, and the account.
///
/// Source: Organizations user guide, "Quotas and service limits".
const MAX_LEVELS: usize = 7;

/// A bundle, read.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    /// Of the bundle's own `perimeter`, where it has one.
    pub perimeter: Option<Perimeter>,
    pub principals: Vec<Principal>,
    /// From the root down; none: none is attached.
    pub service_control: Vec<Vec<Policy>>,
    /// Likewise.
    pub resource_control: Vec<Vec<Policy>>,
    pub tables: Vec<Table>,
    pub endpoints: Vec<Endpoint>,
    pub request: Option<Asked>,
}

/// A principal and its policies.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Of a role, user, root or service; `*`: whoever there could be.
    pub arn: String,
    pub session_arn: Option<String>,
    /// `None`: any tags.
    pub tags: Option<Vec<(String, String)>>,
    /// `None`: they allow everything.
    pub identity: Option<Vec<Policy>>,
    pub boundary: Option<Policy>,
    /// `None`: the session has none.
    pub session: Option<Vec<Policy>>,
}

/// A table and its policy.
#[derive(Clone, Debug)]
pub struct Table {
    /// `*`: every table.
    pub arn: String,
    pub policy: Option<Policy>,
    /// `None`: any tags.
    pub tags: Option<Vec<(String, String)>>,
}

/// An endpoint and its policy; without one, it lets everything through.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub id: String,
    pub policy: Option<Policy>,
}

/// The request of a bundle for `simulate`, as it is written.
#[derive(Clone, Debug)]
pub struct Asked {
    pub action: String,
    pub resource: String,
    pub principal: String,
    pub context: Vec<(String, Values)>,
}

/// Something in a bundle that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BundleError {
    /// Line and column in the bundle, from 1, in characters.
    pub line: usize,
    pub column: usize,
    /// Where it stands in a policy that the bundle holds as text: that policy's own line and column.
    pub within: Option<(usize, usize)>,
    /// The policy, by its name.
    pub policy: Option<String>,
    /// The statement, by its label.
    pub statement: Option<String>,
    /// What is wrong, in a sentence without its full stop.
    pub message: String,
}

impl std::fmt::Display for BundleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if let Some(policy) = &self.policy {
            write!(f, "policy `{policy}`, ")?;
        }
        if let Some((line, column)) = self.within {
            write!(f, "line {line}, column {column} of its text, ")?;
        }
        if let Some(statement) = &self.statement {
            write!(f, "statement `{statement}`: ")?;
        }
        f.write_str(&self.message)
    }
}

impl Bundle {
    /// Reads a bundle.
    ///
    /// # Errors
    /// All that is wrong with it, and with the policies in it.
    pub fn parse(text: &str) -> Result<Self, Vec<BundleError>> {
        let mut reader = Reader { text, lines: OnceCell::new(), errors: Vec::new() };
        let bundle = match json::parse(text) {
            Ok(node) => reader.bundle(&node),
            Err(error) => {
                reader.error(&(error.at..error.at), format!("no JSON: {error}"));
                Self::default()
            }
        };
        reader.errors.sort_by_key(|error| (error.line, error.column, error.within));
        if reader.errors.is_empty() { Ok(bundle) } else { Err(reader.errors) }
    }
}

impl Bundle {
    /// The policy of a resource: a table's is that of its indexes too, a stream has its own.
    pub fn policy_of(&self, resource: &str) -> Option<&Policy> {
        let arn = Arn::parse(resource).filter(|arn| arn.service == "dynamodb")?;
        let name = arn.resource.strip_prefix("table/")?;
        let table = match name.split_once('/') {
            None => resource,
            Some((_, rest)) if rest.starts_with("index/") => {
                resource.strip_suffix(rest)?.strip_suffix('/')?
            }
            Some((_, rest)) if rest.starts_with("stream/") => resource,
            Some(_) => return None,
        };
        let entry = self.tables.iter().find(|entry| entry.arn == table);
        let is_table = table != resource || !name.contains('/');
        let entry = entry.or_else(|| self.tables.iter().find(|entry| entry.arn == "*" && is_table));
        entry?.policy.as_ref()
    }

    /// Which of the lists is empty that a question to `prove` is made of.
    pub fn asks_nothing(&self) -> Option<&'static str> {
        match (self.principals.is_empty(), self.tables.is_empty()) {
            (true, _) => Some("principals"),
            (false, true) => Some("tables"),
            (false, false) => None,
        }
    }

    /// Every policy in it, in no order.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        let own = self.principals.iter().flat_map(|principal| {
            let lists = [&principal.identity, &principal.session].into_iter().flatten().flatten();
            lists.chain(&principal.boundary)
        });
        let levels = self.service_control.iter().chain(&self.resource_control).flatten();
        let tables = self.tables.iter().filter_map(|table| table.policy.as_ref());
        let endpoints = self.endpoints.iter().filter_map(|endpoint| endpoint.policy.as_ref());
        own.chain(levels).chain(tables).chain(endpoints)
    }
}

impl Bundle {
    /// What a bundle knows of a principal: the entry of that ARN, else that of everybody.
    pub fn principal(&self, arn: &str) -> Option<&Principal> {
        let of = |arn: &str| self.principals.iter().find(|principal| principal.arn == arn);
        of(arn).or_else(|| of("*"))
    }

    /// What a bundle knows of a table: the entry of that ARN, else that of every table.
    pub fn table(&self, arn: &str) -> Option<&Table> {
        let of = |arn: &str| self.tables.iter().find(|table| table.arn == arn);
        of(arn).or_else(|| of("*"))
    }

    /// The policy of an endpoint, where the bundle has one.
    pub fn policy_of_endpoint(&self, id: &str) -> Option<&Policy> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id)?.policy.as_ref()
    }
}

/// Is it a session of that role, as far as a session's ARN tells, which has lost the path?
fn is_session_of(session: &str, role: &str) -> bool {
    let name_of = |arn: &Arn<'_>, prefix: &str| Some(arn.resource.strip_prefix(prefix)?.to_owned());
    let (Some(session), Some(role)) = (Arn::parse(session), Arn::parse(role)) else { return false };
    let named = name_of(&session, "assumed-role/");
    let named = named.as_deref().and_then(|rest| rest.split_once('/')).map(|(name, _)| name.to_owned());
    let role_name = name_of(&role, "role/").and_then(|path| path.rsplit('/').next().map(str::to_owned));
    session.account == role.account && named.is_some() && named == role_name
}

/// What of a DynamoDB ARN can be none of a table's.
fn wrong_part(arn: &Arn<'_>) -> Option<&'static str> {
    let is_region = |region: &str| {
        region.contains('-')
            && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if arn.service != "dynamodb" {
        return None;
    }
    if !is_account(arn.account) {
        return Some("its account is no number of twelve digits");
    }
    (!is_region(arn.region) && !arn.resource.starts_with("global-table/")).then_some("its region is none")
}

struct Reader<'t> {
    text: &'t str,
    /// Made for the first error: most bundles have none.
    lines: OnceCell<Lines<'t>>,
    errors: Vec<BundleError>,
}

/// The members of an object, each name once and all of them known.
type Members<'n> = &'n [Member];

impl Reader<'_> {
    fn place(&self, at: usize) -> (usize, usize) {
        self.lines.get_or_init(|| Lines::of(self.text)).place(at)
    }

    fn error(&mut self, span: &Range<usize>, message: impl Into<String>) {
        let (line, column) = self.place(span.start);
        self.errors.push(BundleError {
            line,
            column,
            within: None,
            policy: None,
            statement: None,
            message: message.into(),
        });
    }

    fn object<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Members<'n> {
        let Tree::Object(members) = &node.tree else {
            self.error(&node.span, format!("{what} must be an object, and is {}", node.tree.kind()));
            return &[];
        };
        for (n, member) in members.iter().enumerate() {
            if members.iter().take(n).any(|before| before.name == member.name) {
                self.error(&member.span, format!("`{}` stands twice in {what}", member.name));
            } else if !known.is_empty() && !known.contains(&member.name.as_str()) {
                let message = match member.name.as_str() {
                    "Version" | "Statement" => format!(
                        "{what} has no `{}`, which a policy has: that goes under a `document`, with a `name`",
                        member.name
                    ),
                    name => format!("{what} has no `{name}`: it has {}", known.join(", ")),
                };
                self.error(&member.span, message);
            }
        }
        members
    }

    fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.tree {
            Tree::List(items) => items,
            _ => {
                self.error(&node.span, format!("{what} must be a list, and is {}", node.tree.kind()));
                &[]
            }
        }
    }

    /// What is absent, or null.
    fn member<'n>(members: Members<'n>, name: &str) -> Option<&'n Node> {
        let found = members.iter().find(|member| member.name == name)?;
        (found.value.tree != Tree::Null).then_some(&found.value)
    }

    fn text(&mut self, members: Members<'_>, name: &str) -> Option<String> {
        let node = Self::member(members, name)?;
        match &node.tree {
            Tree::Text(text) => Some(text.clone()),
            other => {
                self.error(&node.span, format!("`{name}` must be a string, and is {}", other.kind()));
                None
            }
        }
    }

    fn needed(&mut self, node: &Node, members: Members<'_>, name: &str, what: &str) -> String {
        if Self::member(members, name).is_none() {
            self.error(&node.span, format!("{what} needs `{name}`"));
        }
        self.text(members, name).unwrap_or_default()
    }

    fn bundle(&mut self, node: &Node) -> Bundle {
        let known = ["perimeter", "principals", "scps", "rcps", "tables", "endpoints", "request"];
        let members = self.object(node, "a bundle", &known);
        let all = |reader: &mut Self, name: &str| -> &[Node] {
            Self::member(members, name)
                .map(|node| reader.list(node, &format!("`{name}`")))
                .unwrap_or_default()
        };
        let perimeter = Self::member(members, "perimeter").and_then(|node| self.perimeter(node));
        let principals = all(self, "principals").iter().map(|node| self.principal(node)).collect();
        let levels = all(self, "scps");
        let service_control = self.levels(levels, "scps", Kind::ServiceControl);
        let levels = all(self, "rcps");
        let resource_control = self.levels(levels, "rcps", Kind::ResourceControl);
        let tables = all(self, "tables").iter().map(|node| self.table(node)).collect();
        let endpoints = all(self, "endpoints").iter().map(|node| self.endpoint(node)).collect();
        let request = Self::member(members, "request").map(|node| self.request(node));
        self.check_entries(members, ("principals", "principal"), &["arn", "session_arn"]);
        self.check_entries(members, ("tables", "table"), &["arn"]);
        self.check_entries(members, ("endpoints", "endpoint"), &["id"]);
        Bundle { perimeter, principals, service_control, resource_control, tables, endpoints, request }
    }

    /// Two entries for the same would leave open which one counts.
    fn check_entries(&mut self, bundle: Members<'_>, (list, what): (&str, &str), keys: &[&str]) {
        let Some(Node { tree: Tree::List(nodes), .. }) = Self::member(bundle, list) else { return };
        let mut seen = HashSet::new();
        for node in nodes {
            let Tree::Object(members) = &node.tree else { continue };
            let name = |key: &&str| match Self::member(members, key).map(|node| &node.tree) {
                Some(Tree::Text(text)) => text.as_str(),
                _ => "",
            };
            let names: Vec<&str> = keys.iter().map(name).collect();
            // Of one role there may be a session and all others.
            let has_session = Self::member(members, "session").is_some();
            let first = names.first().copied().unwrap_or_default();
            if !first.is_empty() && !seen.insert((names, has_session)) {
                self.error(&node.span, format!("a second entry for {what} `{first}`"));
            }
        }
    }

    fn perimeter(&mut self, node: &Node) -> Option<Perimeter> {
        match config::of_json(node, self.text) {
            Ok(parsed) => Some(parsed.perimeter),
            Err(errors) => {
                self.errors.extend(errors.errors.into_iter().map(|error| BundleError {
                    line: error.line,
                    column: error.column,
                    within: None,
                    policy: None,
                    statement: None,
                    message: error.message,
                }));
                None
            }
        }
    }

    fn principal(&mut self, node: &Node) -> Principal {
        let what = "a principal";
        let known = ["arn", "session_arn", "tags", "identity", "boundary", "session"];
        let members = self.object(node, what, &known);
        let arn = self.needed(node, members, "arn", what);
        if !arn.is_empty() && arn != "*" && (caller_of(&arn).is_none() || arn.contains(['*', '?'])) {
            let message = format!(
                "`{arn}` is no principal: `*`, or the ARN of a role, user, session or root, or a service's name"
            );
            self.error(&node.span, message);
        } else if arn.contains(":assumed-role/") {
            let message = format!(
                "`{arn}` has lost its role's path: give the role's ARN as `arn`, and this one as `session_arn`"
            );
            self.error(&node.span, message);
        }
        let session_arn = self.text(members, "session_arn");
        if let Some(session) = &session_arn
            && !is_session_of(session, &arn)
        {
            self.error(&node.span, format!("`{session}` is no session of `{arn}`"));
        }
        Principal {
            arn,
            session_arn,
            tags: Self::member(members, "tags").map(|node| self.tags(node)),
            identity: self.policies(members, "identity", Kind::Identity),
            boundary: Self::member(members, "boundary").and_then(|node| self.policy(node, Kind::Boundary)),
            session: self.policies(members, "session", Kind::Session),
        }
    }

    fn table(&mut self, node: &Node) -> Table {
        let members = self.object(node, "a table", &["arn", "policy", "tags"]);
        let arn = self.needed(node, members, "arn", "a table");
        if !arn.is_empty() && arn != "*" && (Arn::parse(&arn).is_none() || arn.contains(['*', '?'])) {
            self.error(&node.span, format!("`{arn}` is no table: `*`, or a whole ARN without wildcards"));
        } else if let Some(wrong) = Arn::parse(&arn).and_then(|arn| wrong_part(&arn)) {
            self.error(&node.span, format!("`{arn}` is no table: {wrong}"));
        }
        Table {
            arn,
            policy: Self::member(members, "policy").and_then(|node| self.policy(node, Kind::Table)),
            tags: Self::member(members, "tags").map(|node| self.tags(node)),
        }
    }

    fn endpoint(&mut self, node: &Node) -> Endpoint {
        let members = self.object(node, "an endpoint", &["id", "policy"]);
        Endpoint {
            id: self.needed(node, members, "id", "an endpoint"),
            policy: Self::member(members, "policy").and_then(|node| self.policy(node, Kind::Endpoint)),
        }
    }

    fn tags(&mut self, node: &Node) -> Vec<(String, String)> {
        let members = self.object(node, "`tags`", &[]);
        let names = members.iter().map(|member| member.name.clone());
        names.map(|name| (name.clone(), self.text(members, &name).unwrap_or_default())).collect()
    }

    fn policies(&mut self, members: Members<'_>, name: &str, kind: Kind) -> Option<Vec<Policy>> {
        let node = Self::member(members, name)?;
        Some(
            self.list(node, &format!("`{name}`")).iter().filter_map(|node| self.policy(node, kind)).collect(),
        )
    }

    fn levels(&mut self, nodes: &[Node], name: &str, kind: Kind) -> Vec<Vec<Policy>> {
        let what = format!("a level of `{name}`");
        if let Some(first) = nodes.get(MAX_LEVELS) {
            let message =
                format!("`{name}` has {} levels: an organization has no more than {MAX_LEVELS}", nodes.len());
            self.error(&first.span, message);
            return Vec::new();
        }
        let level = |reader: &mut Self, node: &Node| {
            let nodes = reader.list(node, &what);
            nodes.iter().filter_map(|node| reader.policy(node, kind)).collect()
        };
        nodes.iter().map(|node| level(self, node)).collect()
    }

    fn policy(&mut self, node: &Node, kind: Kind) -> Option<Policy> {
        let members = self.object(node, "a policy", &["name", "document"]);
        let name = self.needed(node, members, "name", "a policy");
        let Some(document) = Self::member(members, "document") else {
            self.error(&node.span, "a policy needs `document`");
            return None;
        };
        let own_text = match &document.tree {
            Tree::Text(text) => Some(text),
            _ => None,
        };
        match self.statements(document, own_text, kind) {
            Ok(read) => {
                let own_text = own_text.map(|text| OwnText { at: document.span.start, text: text.clone() });
                Some(Policy { name, document: read, own_text })
            }
            Err(problems) => {
                let errors = self.problems(&name, document, own_text, problems);
                self.errors.extend(errors);
                None
            }
        }
    }

    /// A document that is too long is refused unread, so that none takes long.
    fn statements(
        &self,
        document: &Node,
        own_text: Option<&String>,
        kind: Kind,
    ) -> Result<Document, Vec<Problem>> {
        let here = self.text.get(document.span.clone()).unwrap_or_default();
        let (text, span) = own_text.map_or((here, &document.span), |text| (text, &(0..0)));
        if let Some(excess) = size::excess(text, kind, own_text.is_some()) {
            return Err(vec![Problem { span: span.clone(), statement: None, message: excess.to_string() }]);
        }
        match own_text {
            Some(text) => Document::parse(text, kind),
            None => Document::of(document, kind),
        }
    }

    fn problems(
        &self,
        name: &str,
        node: &Node,
        own_text: Option<&String>,
        problems: Vec<Problem>,
    ) -> Vec<BundleError> {
        let own_lines = own_text.map(|text| Lines::of(text));
        let problem = |problem: Problem| {
            let at = if own_lines.is_some() { node.span.start } else { problem.span.start };
            let (line, column) = self.place(at);
            BundleError {
                line,
                column,
                within: own_lines.as_ref().map(|lines| lines.place(problem.span.start)),
                policy: Some(name.to_owned()),
                statement: problem.statement,
                message: problem.message,
            }
        };
        problems.into_iter().map(problem).collect()
    }

    fn request(&mut self, node: &Node) -> Asked {
        let what = "a request";
        let members = self.object(node, what, &["action", "resource", "principal", "context"]);
        Asked {
            action: self.needed(node, members, "action", what),
            resource: self.needed(node, members, "resource", what),
            principal: self.needed(node, members, "principal", what),
            context: Self::member(members, "context").map(|node| self.context(node)).unwrap_or_default(),
        }
    }

    fn context(&mut self, node: &Node) -> Vec<(String, Values)> {
        let members = self.object(node, "`context`", &[]);
        members.iter().filter_map(|member| Some((member.name.clone(), self.values(member)?))).collect()
    }

    fn values(&mut self, member: &Member) -> Option<Values> {
        let one = |tree: &Tree| match tree {
            Tree::Text(text) | Tree::Number(text) => Some(text.clone()),
            Tree::Bool(value) => Some(value.to_string()),
            Tree::Null | Tree::List(_) | Tree::Object(_) => None,
        };
        let values = match &member.value.tree {
            Tree::List(items) => {
                items.iter().map(|item| one(&item.tree)).collect::<Option<Vec<_>>>().map(Values::Many)
            }
            tree => one(tree).map(Values::One),
        };
        if values.is_none() {
            let message = format!("`{}` must be a string, or a list of strings", member.name);
            self.error(&member.value.span, message);
        }
        values
    }
}
