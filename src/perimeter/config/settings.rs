//! The sections `[product]`, `[prove]` and `[rules]`.

use super::diagnostic::{Diagnostic, listed, nearest, quote};
use super::read::{Diagnostics, Kind, PATTERN, SEVERITY, Table, What, values};
use super::value::{self, Complaint};
use crate::audit::rule::{Rule, Severity};
use crate::audit::rules::{self, RULES};
use crate::perimeter::{Product, ProveSettings, RuleSettings, TransitMode};

const PRODUCT: Kind = Kind { heading: "[product]", keys: &["table", "roles", "resources"] };
const PROVE: Kind = Kind {
    heading: "[prove]",
    keys: &["service_calls", "vpc_identity", "session_tags", "endpoint_region_is_requested_region", "now"],
};

/// As `[rules]` and nowhere else has it.
const TRANSIT: [(&str, TransitMode); 3] =
    [("allow", TransitMode::Allow), ("flag", TransitMode::Flag), ("deny", TransitMode::Deny)];

pub(super) fn product(top: &Table<'_>, found: &mut Diagnostics) -> Product {
    let Some(node) = top.node("product") else { return Product::default() };
    let table = found.table(node, PRODUCT);
    Product {
        table: found
            .optional(
                &table,
                "table",
                What("a table's ARN", "\"arn:aws:dynamodb:eu-west-1:111122223333:table/perimeter-findings\""),
                value::table_arn,
            )
            .map(|(arn, _)| arn),
        roles: values(found.list(&table, "roles", What("a role's ARN", PATTERN.1), value::role_arn)),
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
            if let Some((mode, _)) =
                found.read(&field.node, What("allow, flag or deny", "\"flag\""), transit_mode)
            {
                settings.transit = mode;
            }
            continue;
        }
        let Some((severity, at)) = found.read(&field.node, SEVERITY, severity) else {
            continue;
        };
        if severity.is_none() && rule.severity == Severity::Critical {
            let message = format!("`{}` is critical, and off: its findings are lost", rule.id);
            found.report(
                Diagnostic::warning(at, message)
                    .help("`[[suppress]]` can silence it for one principal and a time"),
            );
        }
        settings.severities.insert(rule.id, severity);
    }
    settings
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
