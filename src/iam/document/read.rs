//! From JSON to statements; whatever IAM would refuse is named, all at once.

use super::{
    ActionPattern, Condition, Document, Effect, Element, Kind, Principal, Problem, ResourcePattern,
    Statement, Version,
};
use crate::iam::operand::Operand;
use crate::iam::operator::{self, Operator, Test};
use crate::iam::template::{Part, Template, Variables, Wildcards};
use crate::ids::{Arn, is_account};
use crate::json::{Member, Node, Span, Tree};

const OF_A_POLICY: [&str; 3] = ["Version", "Id", "Statement"];
const OF_A_STATEMENT: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

pub(super) fn document(node: &Node, kind: Kind) -> Result<Document, Vec<Problem>> {
    let mut reader = Reader { kind, version: Version::Old, label: None, problems: Vec::new() };
    let document = reader.document(node);
    match document {
        Some(document) if reader.problems.is_empty() => Ok(document),
        _ => Err(reader.problems),
    }
}

struct Reader {
    kind: Kind,
    version: Version,
    /// The statement that is being read.
    label: Option<String>,
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, span: &Span, message: impl Into<String>) {
        let statement = self.label.clone();
        self.problems.push(Problem { span: span.clone(), statement, message: message.into() });
    }

    fn expected(&mut self, what: &str, expected: &str, found: &Node) {
        let found_kind = found.tree.kind();
        self.problem(&found.span, format!("{what} must be {expected}, and is {found_kind}"));
    }

    fn document(&mut self, node: &Node) -> Option<Document> {
        let Tree::Object(members) = &node.tree else {
            self.expected("a policy", "an object", node);
            return None;
        };
        self.check_names(members, &OF_A_POLICY, "a policy");
        self.version = self.version(members);
        if let Some(id) = find(members, "Id")
            && !matches!(id.value.tree, Tree::Text(_))
        {
            self.expected("`Id`", "a string", &id.value);
        }
        let Some(statements) = find(members, "Statement") else {
            self.problem(&node.span, "the policy has no `Statement`");
            return None;
        };
        let statements = self.statements(&statements.value);
        self.check_labels(&statements);
        let has_version = find(members, "Version").is_some();
        Some(Document { span: node.span.clone(), version: self.version, has_version, statements })
    }

    fn version(&mut self, members: &[Member]) -> Version {
        let Some(member) = find(members, "Version") else { return Version::Old };
        match &member.value.tree {
            Tree::Text(text) if text == "2012-10-17" => Version::New,
            Tree::Text(text) if text == "2008-10-17" => Version::Old,
            Tree::Text(text) => {
                let message = format!("`{text}` is no version: there are `2012-10-17` and `2008-10-17`");
                self.problem(&member.value.span, message);
                Version::Old
            }
            _ => {
                self.expected("`Version`", "a string", &member.value);
                Version::Old
            }
        }
    }

    fn statements(&mut self, node: &Node) -> Vec<Statement> {
        let nodes = match &node.tree {
            Tree::List(nodes) => nodes.as_slice(),
            Tree::Object(_) => std::slice::from_ref(node),
            _ => {
                self.expected("`Statement`", "an object or a list of them", node);
                &[]
            }
        };
        let mut statements = Vec::new();
        for (n, node) in nodes.iter().enumerate() {
            statements.extend(self.statement(n, node));
            self.label = None;
        }
        statements
    }

    fn statement(&mut self, n: usize, node: &Node) -> Option<Statement> {
        let label = format!("#{}", n + 1);
        self.label = Some(label.clone());
        let Tree::Object(members) = &node.tree else {
            self.expected("a statement", "an object", node);
            return None;
        };
        let label = self.sid(members).unwrap_or(label);
        self.label = Some(label.clone());
        self.check_names(members, &OF_A_STATEMENT, "a statement");
        let effect = self.effect(node, members);
        let principals = self.principals(node, members);
        let actions = self.element(node, members, ("Action", "NotAction"), Self::action);
        let resources = self.element(node, members, ("Resource", "NotResource"), Self::resource);
        if self.kind == Kind::ResourceControl {
            self.check_control(members, effect);
        }
        let conditions = find(members, "Condition").map(|member| self.conditions(&member.value));
        Some(Statement {
            label,
            span: node.span.clone(),
            effect: effect?,
            principals: principals?,
            actions: actions?,
            resources: resources?,
            conditions: conditions.unwrap_or_default(),
        })
    }

    /// A resource control policy denies, and names the actions. The one that AWS itself attaches allows everything.
    ///
    /// Source: Organizations user guide, "RCP syntax".
    fn check_control(&mut self, members: &[Member], effect: Option<Effect>) {
        if let Some(negated) = find(members, "NotAction") {
            self.problem(&negated.span, "a resource control policy has no `NotAction`");
        }
        let is_all = |name: &str| {
            find(members, name).is_some_and(|member| match &member.value.tree {
                Tree::Text(text) => text == "*",
                Tree::List(items) => {
                    matches!(items.as_slice(), [Node { tree: Tree::Text(text), .. }] if text == "*")
                }
                _ => false,
            })
        };
        let allows_all = is_all("Action") && is_all("Resource") && find(members, "Condition").is_none();
        if let Some(allow) = find(members, "Effect").filter(|_| effect == Some(Effect::Allow) && !allows_all)
        {
            let message = "a resource control policy denies: what it does not deny it allows";
            self.problem(&allow.value.span, message);
        }
    }

    fn sid(&mut self, members: &[Member]) -> Option<String> {
        let sid = find(members, "Sid")?;
        match &sid.value.tree {
            Tree::Text(text) if text.is_empty() => None,
            Tree::Text(text) => Some(text.clone()),
            _ => {
                self.expected("`Sid`", "a string", &sid.value);
                None
            }
        }
    }

    /// IAM wants the labels of a policy to differ.
    fn check_labels(&mut self, statements: &[Statement]) {
        for (n, statement) in statements.iter().enumerate() {
            if statements.iter().take(n).any(|before| before.label == statement.label) {
                let message = format!("two statements have the `Sid` `{}`", statement.label);
                self.problem(&statement.span, message);
            }
        }
    }

    fn effect(&mut self, node: &Node, members: &[Member]) -> Option<Effect> {
        let Some(effect) = find(members, "Effect") else {
            self.problem(&node.span, "the statement has no `Effect`");
            return None;
        };
        match &effect.value.tree {
            Tree::Text(text) if text == "Allow" => Some(Effect::Allow),
            Tree::Text(text) if text == "Deny" => Some(Effect::Deny),
            Tree::Text(text) => {
                let message = format!("`{text}` is no effect: there are `Allow` and `Deny`, so written");
                self.problem(&effect.value.span, message);
                None
            }
            _ => {
                self.expected("`Effect`", "a string", &effect.value);
                None
            }
        }
    }

    /// Exactly one of an element and its `Not…` must be there.
    fn element<T>(
        &mut self,
        node: &Node,
        members: &[Member],
        (plain, negated): (&str, &str),
        read: fn(&mut Self, &str, &Node) -> Option<T>,
    ) -> Option<Element<T>> {
        let (member, is_negated) = match (find(members, plain), find(members, negated)) {
            (Some(member), None) => (member, false),
            (None, Some(member)) => (member, true),
            (Some(_), Some(both)) => {
                self.problem(&both.span, format!("`{plain}` and `{negated}` stand in one statement"));
                return None;
            }
            (None, None) => {
                let message = format!("the statement has neither `{plain}` nor `{negated}`");
                self.problem(&node.span, message);
                return None;
            }
        };
        let name = member.name.as_str();
        let values = self.texts(name, &member.value);
        let items = values.into_iter().filter_map(|(text, node)| read(self, &text, node)).collect();
        Some(Element { negated: is_negated, span: member.span.clone(), items })
    }

    /// A string, or a list of strings.
    fn texts<'n>(&mut self, what: &str, node: &'n Node) -> Vec<(String, &'n Node)> {
        let nodes = match &node.tree {
            Tree::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut texts = Vec::new();
        for node in nodes {
            match &node.tree {
                Tree::Text(text) => texts.push((text.clone(), node)),
                _ => self.expected(&format!("a value of `{what}`"), "a string", node),
            }
        }
        texts
    }

    fn action(&mut self, text: &str, node: &Node) -> Option<ActionPattern> {
        let is_named = text.split_once(':').is_some_and(|(service, name)| {
            let of_service = |byte: u8| byte.is_ascii_alphanumeric() || b"-*?".contains(&byte);
            !service.is_empty() && !name.is_empty() && service.bytes().all(of_service) && !name.contains(':')
        });
        if text != "*" && !is_named {
            self.problem(&node.span, format!("`{text}` is no action: `*`, or `service:Name`"));
            return None;
        }
        Some(ActionPattern { text: text.to_ascii_lowercase(), span: node.span.clone() })
    }

    fn resource(&mut self, text: &str, node: &Node) -> Option<ResourcePattern> {
        if text != "*" && !text.starts_with("arn:") {
            self.problem(&node.span, format!("`{text}` is no resource: `*`, or an ARN"));
            return None;
        }
        match Template::parse(text, Wildcards::Known, self.variables()) {
            Ok(template) => {
                let open = open(text, &template);
                Some(ResourcePattern { text: text.to_owned(), template, open, span: node.span.clone() })
            }
            Err(message) => {
                self.problem(&node.span, message);
                None
            }
        }
    }

    fn variables(&self) -> Variables {
        match self.version {
            Version::Old => Variables::Literal,
            Version::New => Variables::Known,
        }
    }

    /// `Some(None)` where the kind of policy has none.
    fn principals(&mut self, node: &Node, members: &[Member]) -> Option<Option<Element<Principal>>> {
        let (plain, negated) = (find(members, "Principal"), find(members, "NotPrincipal"));
        if !self.kind.has_principals() {
            let Some(member) = plain.or(negated) else { return Some(None) };
            let message = format!("`{}` cannot stand in {}", member.name, self.kind.name());
            self.problem(&member.span, message);
            return None;
        }
        let (member, is_negated) = match (plain, negated) {
            (Some(member), None) => (member, false),
            (None, Some(member)) if self.kind == Kind::ResourceControl => {
                self.problem(&member.span, "`NotPrincipal` cannot stand in a resource control policy");
                return None;
            }
            (None, Some(member)) => (member, true),
            (Some(_), Some(both)) => {
                self.problem(&both.span, "`Principal` and `NotPrincipal` stand in one statement");
                return None;
            }
            (None, None) => {
                self.problem(&node.span, format!("a statement of {} has a `Principal`", self.kind.name()));
                return None;
            }
        };
        let items = self.whom(&member.value);
        if self.kind == Kind::ResourceControl && items.iter().any(|item| *item != Principal::Everybody) {
            self.problem(&member.value.span, "the `Principal` of a resource control policy is `\"*\"`");
            return None;
        }
        Some(Some(Element { negated: is_negated, span: member.span.clone(), items }))
    }

    fn whom(&mut self, node: &Node) -> Vec<Principal> {
        let members = match &node.tree {
            Tree::Text(text) if text == "*" => return vec![Principal::Everybody],
            Tree::Object(members) => members,
            _ => {
                self.problem(&node.span, "a principal is `\"*\"`, or an object as `{\"AWS\": …}`");
                return Vec::new();
            }
        };
        self.check_names(members, &["AWS", "Service", "Federated", "CanonicalUser"], "a principal");
        let mut items = Vec::new();
        for member in members {
            for (text, node) in self.texts(&member.name, &member.value) {
                items.extend(match member.name.as_str() {
                    "AWS" => self.of_aws(&text, node),
                    "Service" => Some(Principal::Service(text)),
                    "Federated" => Some(Principal::Federated(text)),
                    "CanonicalUser" => Some(Principal::Canonical(text)),
                    _ => None,
                });
            }
        }
        items
    }

    fn account(&self, account: &str) -> Principal {
        let account = account.to_owned();
        match self.kind {
            Kind::Endpoint => Principal::AccountAtEndpoint(account),
            _ => Principal::Account(account),
        }
    }

    fn of_aws(&mut self, text: &str, node: &Node) -> Option<Principal> {
        let is_unique_id = || {
            text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        let arn = Arn::parse(text).filter(|arn| is_account(arn.account) && !text.contains(['*', '?']));
        match arn {
            _ if text == "*" => Some(Principal::Everybody),
            _ if is_account(text) => Some(self.account(text)),
            Some(arn) if arn.service == "iam" && arn.resource == "root" => Some(self.account(arn.account)),
            Some(arn) if matches!(arn.service, "iam" | "sts") => Some(Principal::Arn(text.to_owned())),
            None if is_unique_id() => Some(Principal::Gone(text.to_owned())),
            Some(_) | None => {
                let message = format!(
                    "`{text}` is no principal: `*`, an account, or the whole ARN of a role, user or session"
                );
                self.problem(&node.span, message);
                None
            }
        }
    }

    fn conditions(&mut self, node: &Node) -> Vec<Condition> {
        let Tree::Object(operators) = &node.tree else {
            self.expected("`Condition`", "an object", node);
            return Vec::new();
        };
        self.check_twice(operators, "`Condition`");
        let mut conditions = Vec::new();
        for member in operators {
            match Operator::parse(&member.name) {
                Ok(operator) => self.keys(&mut conditions, operator, member),
                Err(message) => self.problem(&member.span, message),
            }
        }
        conditions
    }

    fn keys(&mut self, conditions: &mut Vec<Condition>, operator: Operator, member: &Member) {
        let Tree::Object(keys) = &member.value.tree else {
            let what = format!("what stands under `{}`", member.name);
            self.expected(&what, "an object of keys and values", &member.value);
            return;
        };
        self.check_twice(keys, &format!("`{}`", member.name));
        for key in keys {
            let texts = self.values(&key.name, &key.value);
            let mut values = Vec::new();
            for (text, span) in &texts {
                match self.operand(text, operator.test) {
                    Ok(operand) => values.push(operand),
                    Err(message) => self.problem(span, message),
                }
            }
            let (texts, places) = texts.into_iter().unzip();
            conditions.push(Condition {
                operator,
                operator_name: member.name.clone(),
                key: key.name.to_ascii_lowercase(),
                key_name: key.name.clone(),
                values,
                texts,
                places,
                span: key.span.clone(),
            });
        }
    }

    fn operand(&self, text: &str, test: Test) -> Result<Operand, String> {
        Operand::read(text, test, self.variables())
    }

    /// Strings, numbers and booleans; one, or a list of them.
    fn values(&mut self, key: &str, node: &Node) -> Vec<(String, Span)> {
        let nodes = match &node.tree {
            Tree::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut values = Vec::new();
        for node in nodes {
            let text = match &node.tree {
                Tree::Text(text) | Tree::Number(text) => text.clone(),
                Tree::Bool(value) => value.to_string(),
                Tree::Null | Tree::List(_) | Tree::Object(_) => {
                    self.expected(&format!("a value of `{key}`"), "a string, a number or a boolean", node);
                    continue;
                }
            };
            values.push((text, node.span.clone()));
        }
        values
    }

    /// Every name once, and none that is not known.
    fn check_names(&mut self, members: &[Member], known: &[&str], whole: &str) {
        self.check_twice(members, whole);
        for member in members.iter().filter(|member| !known.contains(&member.name.as_str())) {
            let message = match operator::nearest(&member.name, known.iter().copied(), 2) {
                Some(near) => format!("{whole} has no `{}`: is `{near}` meant?", member.name),
                None => format!("{whole} has no `{}`", member.name),
            };
            self.problem(&member.span, message);
        }
    }

    fn check_twice(&mut self, members: &[Member], whole: &str) {
        for (n, member) in members.iter().enumerate() {
            if members.iter().take(n).any(|before| before.name == member.name) {
                self.problem(&member.span, format!("`{}` stands twice in {whole}", member.name));
            }
        }
    }
}

fn find<'m>(members: &'m [Member], name: &str) -> Option<&'m Member> {
    members.iter().find(|member| member.name == name)
}

/// Why it is open what a resource's pattern matches.
///
/// Source: IAM user guide, "IAM JSON policy elements: Resource" (no wildcard in the service), "IAM policy elements:
/// Variables and tags" (variables behind the fifth colon).
fn open(text: &str, template: &Template) -> Option<&'static str> {
    let service = text.split(':').nth(2).unwrap_or_default();
    if service.contains(['*', '?']) {
        return Some("a wildcard in the service of a resource");
    }
    let mut colons = 0;
    for part in &template.parts {
        match part {
            Part::Literal(text) => colons += text.bytes().filter(|byte| *byte == b':').count(),
            Part::Variable { .. } if colons < 5 => {
                return Some("a variable of a resource before its fifth colon");
            }
            Part::Variable { .. } | Part::Any | Part::One => {}
        }
    }
    None
}
