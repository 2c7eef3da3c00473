//! The sections `[product]`, `[prove]` and `[rules]`.

use super::diagnostic::{Diagnostic, listed, nearest, quote};
use super::node::Place;
use super::read::{Diagnostics, Kind, PATTERN, SEVERITY, Table, What, values};
use super::value::{self, Complaint};
use crate::audit::rule::{Rule, Severity};
use crate::audit::rules::{self, RULES};
use crate::ids::Arn;
use crate::perimeter::{Perimeter, Product, ProveSettings, RuleSettings, TransitMode};

const PRODUCT: Kind = Kind { heading: "[product]", keys: &["table", "roles", "resources"] };
const PROVE: Kind = Kind {
    heading: "[prove]",
    keys: &["service_calls", "vpc_identity", "session_tags", "endpoint_region_is_requested_region", "now"],
};

/// As `[rules]` and nowhere else has it.
const TRANSIT: [(&str, TransitMode); 3] =
    [("allow", TransitMode::Allow), ("flag", TransitMode::Flag), ("deny", TransitMode::Deny)];

pub(super) fn product(top: &Table<'_>, perimeter: &Perimeter, found: &mut Diagnostics) -> Product {
    let Some(node) = top.node("product") else { return Product::default() };
    let table = found.table(node, PRODUCT);
    let arn = found.optional(
        &table,
        "table",
        What("a table's ARN", "\"arn:aws:dynamodb:eu-west-1:111122223333:table/perimeter-findings\""),
        value::table_arn,
    );
    let roles = found.list(&table, "roles", What("a role's ARN", PATTERN.1), value::role_arn);
    for (arn, at) in arn.iter().chain(roles.iter().flat_map(|(roles, _)| roles)) {
        let account = Arn::parse(arn).map_or("", |arn| arn.account);
        if !perimeter.is_ours(account) {
            let message = format!("account `{account}` is in no environment");
            let help = "add it to an environment, or write the product's own account";
            found.report(Diagnostic::warning(at, message).help(help));
        }
    }
    Product {
        table: arn.map(|(arn, _)| arn),
        roles: values(roles),
        resources: values(found.list(&table, "resources", PATTERN, value::resource_pattern)),
    }
}

pub(super) fn prove(top: &Table<'_>, found: &mut Diagnostics) -> ProveSettings {
    let Some(node) = top.node("prove") else { return ProveSettings::default() };
    let table = found.table(node, PROVE);
    let mut choice = |key: &str, cautious: &str, daring: &str| {
        let check = |text: &str| {
            value::one_of(text, &format!("value of `{key}`"), &[(cautious, false), (daring, true)])
        };
        found.optional(&table, key, What("a word", "\"…\""), check).is_some_and(|(daring, _)| daring)
    };
    ProveSettings {
        service_calls_approved: choice("service_calls", "outside", "approved"),
        vpc_identity_exact: choice("vpc_identity", "id", "exact"),
        session_tags_none: choice("session_tags", "any", "none"),
        endpoint_region_is_requested_region: found
            .flag(&table, "endpoint_region_is_requested_region")
            .unwrap_or_default(),
        now: found.moment(&table, "now").map(|(now, _)| now),
    }
}

pub(super) fn rule_settings(top: &Table<'_>, found: &mut Diagnostics) -> RuleSettings {
    let mut settings = RuleSettings::default();
    let Some(node) = top.node("rules") else { return settings };
    let fields = found.open(node, "[rules]");
    for (at, field) in fields.iter().enumerate() {
        if found.is_full() {
            found.leave(fields.len() - at);
            break;
        }
        let rule = match rule(&field.name) {
            Ok(rule) => rule,
            Err(complaint) => {
                found.complain(&field.at, complaint);
                continue;
            }
        };
        if rule.id == "transit" {
            let read = found.read(&field.node, What("allow, flag or deny", "\"flag\""), transit_mode);
            if let Some((mode, at)) = read {
                settings.transit = mode;
                warn_of_transit(mode, at, found);
            }
            continue;
        }
        let Some((severity, at)) = found.read(&field.node, SEVERITY, severity) else {
            continue;
        };
        warn_of_silence(rule, severity, at, found);
        settings.severities.insert(rule.id, severity);
    }
    settings
}

/// Warns where calls from beyond the approved VPCs are inside, and nobody is told.
fn warn_of_transit(mode: TransitMode, at: &Place, found: &mut Diagnostics) {
    match mode {
        TransitMode::Allow => found.report(
            Diagnostic::warning(
                at,
                "whoever reaches an approved endpoint from any network is inside, without a finding",
            )
            .help("list the networks that are to come this way in [[transit]], and leave this at \"flag\""),
        ),
        TransitMode::Flag | TransitMode::Deny => {}
    }
}

/// Warns where the findings of a rule that is severe are lost, or come last in every list.
fn warn_of_silence(rule: &Rule, set: Option<Severity>, at: &Place, found: &mut Diagnostics) {
    if rule.severity < Severity::High {
        return;
    }
    let (id, default) = (rule.id, rule.severity.name());
    let message = match set {
        None => format!("`{id}` is {default}, and off: its findings are lost"),
        Some(Severity::Info) => format!("`{id}` is {default}, and set to info: its findings come last"),
        Some(Severity::Low | Severity::Medium | Severity::High | Severity::Critical) => return,
    };
    found.report(
        Diagnostic::warning(at, message).help("`[[suppress]]` can silence it for one principal and a time"),
    );
}

/// A rule, by its name.
pub(super) fn rule(name: &str) -> Result<&'static Rule, Complaint> {
    rules::find(name).ok_or_else(|| {
        let complaint = Complaint::new(format!("{} is no rule", quote(name)));
        match nearest(name, RULES.iter().map(|rule| rule.id)) {
            Some((rule, true)) => complaint.help(format!("did you mean `{rule}`?")),
            _ => complaint.help("`perimeter rules` lists them"),
        }
    })
}

fn transit_mode(text: &str) -> Result<TransitMode, Complaint> {
    value::one_of(text, "setting of `transit`", &TRANSIT).map_err(|complaint| match severity(text) {
        Ok(_) => complaint.help(
            "`transit` takes no severity: `allow` is inside, `flag` inside with a finding, `deny` outside",
        ),
        Err(_) => complaint,
    })
}

/// Is one the beginning of the other, as of `crit` and `critical`, `info` and `informational`?
fn abbreviates(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    one.len() > 1 && (one.starts_with(&other) || other.starts_with(&one))
}

/// `None` is off.
fn severity(text: &str) -> Result<Option<Severity>, Complaint> {
    if let Some(severity) = Severity::parse(text) {
        return Ok(Some(severity));
    }
    if text == "off" {
        return Ok(None);
    }
    let names = || std::iter::once("off").chain(Severity::ALL.map(Severity::name));
    let complaint =
        Complaint::new(format!("{} is no setting of a rule: {}", quote(text), listed(names(), " or ")));
    Err(match nearest(text, names()) {
        _ if TRANSIT.iter().any(|(name, _)| *name == text) => complaint.help("only `transit` takes that"),
        Some((name, true)) => complaint.help(format!("did you mean \"{name}\"?")),
        _ => match names().find(|name| abbreviates(text, name)) {
            Some(name) => complaint.help(format!("did you mean \"{name}\"?")),
            None => complaint,
        },
    })
}
