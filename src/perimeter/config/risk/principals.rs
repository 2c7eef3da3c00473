//! Patterns of principals that fit more of them than their author may think, or none.

use super::super::diagnostic::quote;
use super::super::value::Complaint;
use crate::glob::{self, has_wildcard};
use crate::ids::{Arn, is_account};
use crate::perimeter::{Mode, Perimeter};

/// Names that everyday roles have: what AWS's own consoles and guides suggest, and what everybody calls
/// them. In lower case, without `-` and `_`. Break-glass for one of them is the perimeter's end.
const EVERYDAY: [&str; 12] = [
    "admin",
    "administrator",
    "administratoraccess",
    "administrators",
    "awscontroltowerexecution",
    "developer",
    "developers",
    "organizationaccountaccessrole",
    "poweruser",
    "poweruseraccess",
    "readonly",
    "readonlyaccess",
];

/// Permission sets that Identity Center offers ready-made.
///
/// Source: IAM Identity Center user guide, "Permission sets", predefined permissions.
const PERMISSION_SETS: [&str; 11] = [
    "AdministratorAccess",
    "Billing",
    "DatabaseAdministrator",
    "DataScientist",
    "NetworkAdministrator",
    "PowerUserAccess",
    "ReadOnlyAccess",
    "SecurityAudit",
    "SupportUser",
    "SystemAdministrator",
    "ViewOnlyAccess",
];

/// Names that have nothing in common: a pattern that fits both fits everybody. They have a path, which
/// a role may have or not, and a wildcard covers.
const STRANGERS: [&str; 2] = ["q/7f", "xx/yy/0-1-2-3-4-5-6-7-8-9"];

/// A break-glass pattern that ordinary principals fit.
pub(crate) fn break_glass(pattern: &str) -> Option<Complaint> {
    broad_name(pattern).or_else(|| root(pattern)).or_else(|| everyday(pattern))
}

fn root(pattern: &str) -> Option<Complaint> {
    let arn = Arn::parse(pattern)?;
    (arn.resource == "root").then(|| {
        Complaint::new(format!("{} is the account's root user, which may do everything", quote(pattern)))
            .help("name a role that is used in emergencies alone, as `role/emergency`")
    })
}

fn everyday(pattern: &str) -> Option<Complaint> {
    let arn = Arn::parse(pattern)?;
    let name = arn.resource.rsplit('/').next().unwrap_or_default();
    let plain: String = name.chars().filter(|c| !"-_".contains(*c)).collect::<String>().to_ascii_lowercase();
    let set = name.strip_prefix("AWSReservedSSO_").and_then(|rest| rest.split('_').next());
    if !EVERYDAY.contains(&plain.as_str()) && !set.is_some_and(|set| PERMISSION_SETS.contains(&set)) {
        return None;
    }
    let message = format!("{} is an everyday name: whoever works under it is exempt", quote(pattern));
    Some(Complaint::new(message).help("name a role that is used in emergencies alone, as `role/emergency`"))
}

/// A pattern of a `[[service]]` entry that ordinary roles fit; `via` is the service.
pub(crate) fn service(pattern: &str, via: Option<&str>) -> Option<Complaint> {
    let arn = Arn::parse(pattern)?;
    let whole = "name the one role";
    let shown = quote(pattern);
    if fits_everybody(arn.resource) {
        let through = via.map_or("any service".to_owned(), quote);
        let message = format!("{shown} covers everybody: whoever comes through {through} is approved");
        return Some(Complaint::new(message).help(whole));
    }
    if let Some(name) =
        EVERYDAY.iter().find(|name| has_wildcard(arn.resource) && fits_named(arn.resource, name))
    {
        let message = format!("{shown} covers ordinary names too, as {}", quote(name));
        return Some(Complaint::new(message).help(whole));
    }
    if via.is_none() && has_wildcard(arn.resource) {
        let message =
            format!("{shown} has a wildcard, and any service may act for what fits: there is no `via`");
        return Some(Complaint::new(message).help("name the service in `via`, or the one role"));
    }
    let message = format!("{shown} covers other organizations' accounts too: its account is a wildcard");
    (!is_account(arn.account)).then(|| Complaint::new(message).help("write an entry for each account"))
}

/// A pattern of a `[[suppress]]` entry that everybody fits.
pub(crate) fn suppression(pattern: &str) -> Option<Complaint> {
    let arn = Arn::parse(pattern)?;
    fits_everybody(arn.resource).then(|| {
        let message = format!("{} covers everybody: the rule is silent whoever calls", quote(pattern));
        Complaint::new(message).help("name the one role")
    })
}

fn fits_everybody(resource: &str) -> bool {
    ["role", "user"]
        .iter()
        .any(|class| STRANGERS.iter().all(|name| glob::matches(resource, &format!("{class}/{name}"))))
}

/// Does the pattern fit a role of the name, in either case of its first letter?
fn fits_named(resource: &str, name: &str) -> bool {
    let capital: String =
        name.char_indices().map(|(at, c)| if at == 0 { c.to_ascii_uppercase() } else { c }).collect();
    [name, &capital].iter().any(|name| glob::matches(resource, &format!("role/{name}")))
}

/// A break-glass pattern whose account stands for no account that is held to anything.
///
/// Where its account is a wildcard it speaks of accounts of enforce and observe environments alone;
/// see [`crate::perimeter::exception::speaks_of`].
pub(crate) fn reaches(perimeter: &Perimeter, pattern: &str) -> Option<Complaint> {
    let account = Arn::parse(pattern)?.account;
    let help = "add the account to an environment of mode `enforce` or `observe`, or take the entry away";
    if has_wildcard(account) {
        let held = |(id, (_, mode)): (&crate::ids::AccountId, &(String, Mode))| {
            *mode != Mode::Exempt && glob::matches(account, id.as_str())
        };
        let message = format!(
            "{} matches nothing: no account of an enforce or observe environment fits",
            quote(pattern)
        );
        return (!perimeter.accounts.iter().any(held)).then(|| Complaint::new(message).help(help));
    }
    if !perimeter.is_ours(account) {
        let message = format!("account `{account}` is in no environment");
        let help =
            "add it to an environment, or use `*`, which stands for the accounts of enforce and observe";
        return Some(Complaint::new(message).help(help));
    }
    let message = format!("account `{account}` is exempt: the entry counts only at other accounts' tables");
    (perimeter.mode_of(account) == Mode::Exempt).then(|| Complaint::new(message).help(help))
}

/// A break-glass pattern whose name ordinary principals fit.
///
/// A wildcard in the account or in the path leaves the name whole; one in the name lets whoever may
/// create roles choose a name that fits. The roles of Identity Center alone must be written with
/// one, and no one but AWS creates roles under their path.
fn broad_name(pattern: &str) -> Option<Complaint> {
    let arn = Arn::parse(pattern)?;
    let (class, rest) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
    if has_wildcard(class) {
        let message = format!("{} covers every role and user", quote(pattern));
        return Some(Complaint::new(message).help("name the one role, as `role/emergency`"));
    }
    let (path, name) = rest.rsplit_once('/').unwrap_or(("", rest));
    if !has_wildcard(name) || class == "assumed-role" || (class == "role" && is_identity_center(path, name)) {
        return None;
    }
    let message = format!(
        "{} covers ordinary names too: whoever may create a {class} of a name that fits is exempt",
        quote(pattern)
    );
    Some(
        Complaint::new(message).help("write the whole name; wildcards may stand in the account and the path"),
    )
}

/// Is this the role of one permission set, with a wildcard for nothing but its random suffix?
///
/// Source: IAM Identity Center user guide, "Referencing permission sets in resource policies".
fn is_identity_center(path: &str, name: &str) -> bool {
    let set = name.strip_prefix("AWSReservedSSO_").map(|set| set.trim_end_matches(['*', '?']));
    let of_one_set = set.is_some_and(|set| set.len() > 1 && set.ends_with('_') && !has_wildcard(set));
    of_one_set
        && (path == "aws-reserved/sso.amazonaws.com" || path.starts_with("aws-reserved/sso.amazonaws.com/"))
}

/// A pattern of sessions, which nothing is matched with: `aws:PrincipalArn` has the role's ARN.
///
/// Source: IAM user guide, "AWS global condition context keys" (`aws:PrincipalArn`).
pub(crate) fn never_matches(pattern: &str) -> Option<Complaint> {
    let arn = Arn::parse(pattern)?;
    let session = arn.resource.strip_prefix("assumed-role/")?;
    let role = session.split('/').next().unwrap_or(session);
    let message = format!("{} matches nothing: a session is known by its role's ARN", quote(pattern));
    let instead = format!("arn:{}:iam::{}:role/{role}", arn.partition, arn.account);
    Some(Complaint::new(message).help(format!("write the role, with its path: {}", quote(&instead))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_in_the_name_is_broad() {
        for broad in [
            "role/*",
            "role/*admin*",
            "role/break-glass-*",
            "role/break-glass-?",
            "role/path/*",
            "role/*/bg-*",
            "user/*",
            "*",
            "r*/emergency",
            "role/AWSReservedSSO_BreakGlass_*",
            "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_*",
            "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_*_*",
            "role/aws-reserved/sso.amazonaws.com/*",
            "role/aws-reserved/sso.amazonaws.com.evil/AWSReservedSSO_BreakGlass_*",
        ] {
            assert!(broad_name(&format!("arn:aws:iam::111122223333:{broad}")).is_some(), "{broad}");
        }
        for narrow in [
            "role/emergency",
            "role/*/emergency",
            "user/emergency",
            "root",
            "role/security/emergency",
            "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_BreakGlass_*",
            "role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_BreakGlass_*",
            "role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_BreakGlass_????????????????",
        ] {
            assert_eq!(broad_name(&format!("arn:aws:iam::*:{narrow}")), None, "{narrow}");
        }
    }

    #[test]
    fn sessions_match_nothing() {
        let complaint = never_matches("arn:aws:sts::111122223333:assumed-role/ops/*");
        assert_eq!(
            complaint.and_then(|complaint| complaint.help).unwrap_or_default(),
            "write the role, with its path: `arn:aws:iam::111122223333:role/ops`"
        );
        assert_eq!(never_matches("arn:aws:sts::111122223333:federated-user/ops"), None);
    }
}
