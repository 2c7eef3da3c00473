//! Takes tables and values of the tree apart, and collects what is wrong with them: a value that
//! is wrong is left out and reading goes on, so that one run names everything.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use ipnet::IpNet;
use jiff::Timestamp;

use super::diagnostic::{Diagnostic, Level, Omitted, listed, nearest, quote};
use super::node::{Field, Node, Place, Value};
use super::value::{self, Complaint};

/// Errors and warnings that are kept, each: a broken file of megabytes would give as many.
const KEPT: usize = 1000;

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    pub(super) errors: Vec<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
    /// Errors that were not kept, and values that were not checked any more.
    pub(super) omitted_errors: Omitted,
    pub(super) omitted_warnings: Omitted,
}

/// A table whose keys are all known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    pub(super) at: &'a Place,
    /// As `[[vpc]]`.
    heading: &'static str,
    fields: &'a [Field],
}

/// A kind of table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// As it is written: `[[vpc]]`, `[prove]`.
    pub(super) heading: &'static str,
    pub(super) keys: &'static [&'static str],
}

/// The top of the file.
pub(super) const TOP: Kind = Kind {
    heading: "the top of the file",
    keys: &[
        "version",
        "organization",
        "management_account",
        "environments",
        "vpc",
        "endpoint",
        "transit",
        "trusted_address",
        "break_glass",
        "service",
        "suppress",
        "product",
        "prove",
        "rules",
    ],
};

/// What a text should be, for messages: in words, and an example as TOML has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct What(pub(super) &'static str, pub(super) &'static str);

pub(super) const ACCOUNT: What = What("an account id", "\"111122223333\"");
pub(super) const BLOCK: What = What("an address block", "\"10.0.0.0/16\"");
pub(super) const PATTERN: What = What("an ARN pattern", "\"arn:aws:iam::111122223333:role/NAME\"");
pub(super) const TEXT: What = What("text", "\"…\"");
pub(super) const SEVERITY: What = What("off or a severity", "\"low\"");

/// The type that a value should have.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Text(What),
    List(What),
    Table,
    Tables,
    Date,
    Flag,
}

impl Wanted {
    fn words(self) -> String {
        match self {
            Wanted::Text(what) => format!("{} in quotes", what.0),
            Wanted::List(what) => format!("a list, each item {} in quotes", what.0),
            Wanted::Table => "a table".to_owned(),
            Wanted::Tables => "a list of tables".to_owned(),
            Wanted::Date => "a date, as 2027-01-01".to_owned(),
            Wanted::Flag => "true or false, without quotes".to_owned(),
        }
    }

    /// What would mend a value of another type.
    fn help(self, value: &Value) -> Option<String> {
        match (self, value) {
            (Wanted::Text(what), Value::Integer(digits))
                if what == ACCOUNT && (9..=12).contains(&digits.len()) =>
            {
                Some(format!(
                    "write \"{digits:0>12}\": an account id has twelve digits, and may begin with zeros"
                ))
            }
            (Wanted::Text(SEVERITY), Value::Flag(false)) => Some("write \"off\"".to_owned()),
            (Wanted::Text(what), Value::Flag(_)) if what == SEVERITY => {
                Some(format!("write the severity in quotes, as {}", what.1))
            }
            (Wanted::Text(_), Value::List(_)) => Some("write it without these brackets".to_owned()),
            (Wanted::Date, _) => Some(value::DATES.to_owned()),
            (Wanted::Text(_), Value::Integer(_) | Value::Float | Value::Flag(_) | Value::Date(_)) => {
                Some("write it in quotes".to_owned())
            }
            (Wanted::List(what), Value::Text(_)) => Some(format!("write it in brackets, as [{}]", what.1)),
            (Wanted::Text(_) | Wanted::List(_), _) | (Wanted::Table | Wanted::Tables | Wanted::Flag, _) => {
                None
            }
        }
    }
}

/// A value that passed its check, and where it stands.
pub(super) type Checked<'a, T> = (T, &'a Place);

/// A list of them, and where the list stands.
pub(super) type List<'a, T> = (Vec<Checked<'a, T>>, &'a Place);

/// The values alone.
pub(super) fn values<T>(list: Option<List<'_, T>>) -> Vec<T> {
    list.map(|(items, _)| items.into_iter().map(|(item, _)| item).collect()).unwrap_or_default()
}

impl<'a> Table<'a> {
    /// The value of the key.
    pub(super) fn node(&self, name: &str) -> Option<&'a Node> {
        self.fields.iter().find(|field| field.name == name).map(|field| &field.node)
    }
}

impl Diagnostics {
    /// One thing that is wrong, and nothing else.
    pub(super) fn only(error: Diagnostic) -> Self {
        Self { errors: vec![error], ..Self::default() }
    }

    /// Are there so many errors that no more are kept? Then nothing more need be checked: that takes
    /// time, above all to find out what was meant.
    pub(super) fn is_full(&self) -> bool {
        self.errors.len() >= KEPT
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        let (kept, omitted) = match diagnostic.severity {
            Level::Error => (&mut self.errors, &mut self.omitted_errors),
            Level::Warning => (&mut self.warnings, &mut self.omitted_warnings),
        };
        if kept.len() < KEPT {
            kept.push(diagnostic);
        } else {
            omitted.found += 1;
        }
    }

    /// Counts values that are left unchecked, since there are errors enough.
    pub(super) fn leave(&mut self, values: usize) {
        self.omitted_errors.unchecked += values;
    }

    /// Reports a value of the wrong type.
    fn mistyped(&mut self, node: &Node, wanted: Wanted) {
        let message =
            format!("{} must be {}, not {}", quote(&node.at.key), wanted.words(), node.value.kind());
        let complaint = Complaint { message, help: wanted.help(&node.value) };
        self.complain(&node.at, complaint);
    }

    pub(super) fn complain(&mut self, at: &Place, complaint: Complaint) {
        self.report(Diagnostic { help: complaint.help, ..Diagnostic::error(at, complaint.message) });
    }

    pub(super) fn warn(&mut self, at: &Place, complaint: Complaint) {
        self.report(Diagnostic { help: complaint.help, ..Diagnostic::warning(at, complaint.message) });
    }

    /// The fields of a table whose keys are names of its author's choice.
    pub(super) fn open<'a>(&mut self, node: &'a Node, heading: &str) -> &'a [Field] {
        match &node.value {
            Value::Table(fields) => {
                self.check_once(fields);
                fields
            }
            Value::List(_) => {
                let message = format!("{} is one table, not a list of tables", quote(&node.at.key));
                self.report(Diagnostic::error(&node.at, message).help(format!("write `{heading}`")));
                &[]
            }
            _ => {
                self.mistyped(node, Wanted::Table);
                &[]
            }
        }
    }

    /// TOML has no key twice in a table; JSON may.
    fn check_once(&mut self, fields: &[Field]) {
        let mut first: HashMap<&str, &Place> = HashMap::new();
        for field in fields {
            if let Some(before) = first.insert(&field.name, &field.at) {
                let message = format!("{} stands here a second time", quote(&field.name));
                self.report(Diagnostic::error(&field.at, message).related(before, "given here first"));
            }
        }
    }

    /// A table of a kind; keys that the kind has not are reported.
    pub(super) fn table<'a>(&mut self, node: &'a Node, kind: Kind) -> Table<'a> {
        let fields = self.open(node, kind.heading);
        let unknown = |field: &&Field| !kind.keys.contains(&field.name.as_str());
        let mut unknown = fields.iter().filter(unknown);
        for field in unknown.by_ref().take(KEPT) {
            self.report(unknown_key(field, kind));
        }
        self.omitted_errors.found += unknown.count();
        Table { at: &node.at, heading: kind.heading, fields }
    }

    /// The tables of a list of them.
    pub(super) fn tables<'a>(&mut self, top: &Table<'a>, name: &str, kind: Kind) -> Vec<Table<'a>> {
        let Some(node) = top.node(name) else { return Vec::new() };
        match &node.value {
            Value::List(items) => items
                .iter()
                .filter_map(|item| match item.value {
                    Value::Table(_) => Some(self.table(item, kind)),
                    _ => {
                        self.mistyped(item, Wanted::Table);
                        None
                    }
                })
                .collect(),
            Value::Table(_) => {
                let message = format!("{} is a list of tables, not one table", quote(name));
                self.report(Diagnostic::error(&node.at, message).help(format!("write `{}`", kind.heading)));
                Vec::new()
            }
            _ => {
                self.mistyped(node, Wanted::Tables);
                Vec::new()
            }
        }
    }

    /// A checked text.
    pub(super) fn read<'a, T>(
        &mut self,
        node: &'a Node,
        what: What,
        check: impl Fn(&str) -> Result<T, Complaint>,
    ) -> Option<Checked<'a, T>> {
        if self.is_full() {
            self.leave(1);
            return None;
        }
        let Value::Text(text) = &node.value else {
            self.mistyped(node, Wanted::Text(what));
            return None;
        };
        match check(text) {
            Ok(value) => Some((value, &node.at)),
            Err(complaint) => {
                self.complain(&node.at, complaint);
                None
            }
        }
    }

    /// A value that may be left out.
    pub(super) fn optional<'a, T>(
        &mut self,
        table: &Table<'a>,
        name: &str,
        what: What,
        check: impl Fn(&str) -> Result<T, Complaint>,
    ) -> Option<Checked<'a, T>> {
        table.node(name).and_then(|node| self.read(node, what, check))
    }

    /// A value that may not.
    pub(super) fn needed<'a, T>(
        &mut self,
        table: &Table<'a>,
        name: &str,
        what: What,
        check: impl Fn(&str) -> Result<T, Complaint>,
    ) -> Option<Checked<'a, T>> {
        self.need(table, name, what.1);
        self.optional(table, name, what, check)
    }

    fn need(&mut self, table: &Table<'_>, name: &str, example: &str) {
        if table.node(name).is_none() {
            let message = format!("this `{}` has no `{name}`", table.heading);
            self.report(Diagnostic::error(table.at, message).help(format!("add `{name} = {example}`")));
        }
    }

    /// A list of checked texts; `None` where there is no such key, or no list in it.
    pub(super) fn list<'a, T>(
        &mut self,
        table: &Table<'a>,
        name: &str,
        what: What,
        check: impl Fn(&str) -> Result<T, Complaint>,
    ) -> Option<List<'a, T>> {
        let node = table.node(name)?;
        let Value::List(items) = &node.value else {
            self.mistyped(node, Wanted::List(what));
            return None;
        };
        Some((items.iter().filter_map(|item| self.read(item, what, &check)).collect(), &node.at))
    }

    /// As [`Self::list`], and the key must be there.
    pub(super) fn needed_list<'a, T>(
        &mut self,
        table: &Table<'a>,
        name: &str,
        what: What,
        check: impl Fn(&str) -> Result<T, Complaint>,
    ) -> Option<List<'a, T>> {
        self.need(table, name, &format!("[{}]", what.1));
        self.list(table, name, what, check)
    }

    /// Warns of what stands a second time; `first` has what stood before.
    pub(super) fn repeated<'a, T: Eq + Hash>(
        &mut self,
        first: &mut HashMap<T, &'a Place>,
        item: T,
        shown: &str,
        at: &'a Place,
    ) {
        match first.entry(item) {
            Entry::Occupied(entry) => {
                let message = format!("{shown} stands here a second time");
                self.report(Diagnostic::warning(at, message).related(entry.get(), "listed here first"));
            }
            Entry::Vacant(entry) => {
                entry.insert(at);
            }
        }
    }

    /// The blocks, each judged for its risk.
    pub(super) fn blocks(
        &mut self,
        list: Option<List<'_, IpNet>>,
        judges: &[fn(&IpNet) -> Option<Complaint>],
    ) -> Vec<IpNet> {
        let mut first = HashMap::new();
        for (block, at) in list.iter().flat_map(|(blocks, _)| blocks) {
            self.repeated(&mut first, block, &format!("`{block}`"), at);
            for complaint in judges.iter().filter_map(|judge| judge(block)) {
                self.warn(at, complaint);
            }
        }
        values(list)
    }

    /// A date, bare or with time and offset, and either in quotes.
    pub(super) fn moment<'a>(&mut self, table: &Table<'a>, name: &str) -> Option<Checked<'a, Timestamp>> {
        let node = table.node(name)?;
        let moment = match &node.value {
            Value::Date(date) => value::moment(date),
            Value::Text(text) => value::moment_text(text),
            _ => {
                self.mistyped(node, Wanted::Date);
                return None;
            }
        };
        match moment {
            Ok(moment) => Some((moment, &node.at)),
            Err(complaint) => {
                self.complain(&node.at, complaint);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, table: &Table<'_>, name: &str) -> Option<bool> {
        let node = table.node(name)?;
        match &node.value {
            Value::Flag(flag) => Some(*flag),
            _ => {
                self.mistyped(node, Wanted::Flag);
                None
            }
        }
    }
}

fn unknown_key(field: &Field, kind: Kind) -> Diagnostic {
    let shown = quote(&field.name);
    let place =
        if kind.heading == TOP.heading { kind.heading.to_owned() } else { format!("`{}`", kind.heading) };
    let diagnostic = Diagnostic::error(&field.at, format!("{shown} is no key of {place}"));
    if kind.heading != TOP.heading && TOP.keys.contains(&field.name.as_str()) {
        return diagnostic
            .help(format!("{shown} belongs to the top of the file, above the first heading in brackets"));
    }
    match nearest(&field.name, kind.keys.iter().copied()) {
        Some((name, true)) => diagnostic.help(format!("did you mean `{name}`?")),
        Some((name, false)) => {
            let all = listed(kind.keys.iter().copied(), " and ");
            diagnostic.help(format!("the nearest key is `{name}`; there are {all}"))
        }
        None => diagnostic,
    }
}
