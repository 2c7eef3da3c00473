//! The rules: every class of findings, a file each, and the list of them.
//!
//! A rule describes and does not decide: which rule fits a record is for the verdict to say. What a
//! rule says is text in paragraphs, parted by empty lines, with code in backticks; a paragraph
//! indented by four spaces holds commands and is to be printed as it stands, with placeholders in
//! capitals. The examples go by the `perimeter.toml` at the root of this repository.

use super::rule::Rule;

mod break_glass_name;
mod break_glass_out_of_window;
mod break_glass_recreated;
mod break_glass_trust;
mod break_glass_use;
mod bulk_export;
mod change_unreadable;
mod credential_created;
mod denied_attempt;
mod endpoint_opened;
mod exemption_tag;
mod external_grant;
mod external_principal;
mod foreign_endpoint;
mod forged_event;
mod guard_removed;
mod guard_weakened;
mod logging_weakened;
mod metadata_outside;
mod model_mismatch;
mod network_path;
mod perimeter_opened;
mod private_unattributed;
mod product_changed;
mod public_access;
mod root_access;
mod service_path;
mod stream_destination;
mod transit;
mod unapproved_vpc;
mod undetermined;
mod unguarded_table;
mod unknown_endpoint;

pub(crate) use break_glass_name::RULE as BREAK_GLASS_NAME;
pub(crate) use break_glass_out_of_window::RULE as BREAK_GLASS_OUT_OF_WINDOW;
pub(crate) use break_glass_recreated::RULE as BREAK_GLASS_RECREATED;
pub(crate) use break_glass_trust::RULE as BREAK_GLASS_TRUST;
pub(crate) use break_glass_use::RULE as BREAK_GLASS_USE;
pub(crate) use bulk_export::RULE as BULK_EXPORT;
pub(crate) use change_unreadable::RULE as CHANGE_UNREADABLE;
pub(crate) use credential_created::RULE as CREDENTIAL_CREATED;
pub(crate) use denied_attempt::RULE as DENIED_ATTEMPT;
pub(crate) use endpoint_opened::RULE as ENDPOINT_OPENED;
pub(crate) use exemption_tag::RULE as EXEMPTION_TAG;
pub(crate) use external_grant::RULE as EXTERNAL_GRANT;
pub(crate) use external_principal::RULE as EXTERNAL_PRINCIPAL;
pub(crate) use foreign_endpoint::RULE as FOREIGN_ENDPOINT;
pub(crate) use forged_event::RULE as FORGED_EVENT;
pub(crate) use guard_removed::RULE as GUARD_REMOVED;
pub(crate) use guard_weakened::RULE as GUARD_WEAKENED;
pub(crate) use logging_weakened::RULE as LOGGING_WEAKENED;
pub(crate) use metadata_outside::RULE as METADATA_OUTSIDE;
pub(crate) use model_mismatch::RULE as MODEL_MISMATCH;
pub(crate) use network_path::RULE as NETWORK_PATH;
pub(crate) use perimeter_opened::RULE as PERIMETER_OPENED;
pub(crate) use private_unattributed::RULE as PRIVATE_UNATTRIBUTED;
pub(crate) use product_changed::RULE as PRODUCT_CHANGED;
pub(crate) use public_access::RULE as PUBLIC_ACCESS;
pub(crate) use root_access::RULE as ROOT_ACCESS;
pub(crate) use service_path::RULE as SERVICE_PATH;
pub(crate) use stream_destination::RULE as STREAM_DESTINATION;
pub(crate) use transit::RULE as TRANSIT;
pub(crate) use unapproved_vpc::RULE as UNAPPROVED_VPC;
pub(crate) use undetermined::RULE as UNDETERMINED;
pub(crate) use unguarded_table::RULE as UNGUARDED_TABLE;
pub(crate) use unknown_endpoint::RULE as UNKNOWN_ENDPOINT;

/// Every rule: those of calls, then those of changes, each in the order of the interface.
pub static RULES: [&Rule; 33] = [
    &PUBLIC_ACCESS,
    &FOREIGN_ENDPOINT,
    &ROOT_ACCESS,
    &EXTERNAL_PRINCIPAL,
    &UNAPPROVED_VPC,
    &PRIVATE_UNATTRIBUTED,
    &SERVICE_PATH,
    &BULK_EXPORT,
    &UNKNOWN_ENDPOINT,
    &UNDETERMINED,
    &TRANSIT,
    &METADATA_OUTSIDE,
    &DENIED_ATTEMPT,
    &BREAK_GLASS_USE,
    &BREAK_GLASS_OUT_OF_WINDOW,
    &BREAK_GLASS_RECREATED,
    &FORGED_EVENT,
    &BREAK_GLASS_NAME,
    &BREAK_GLASS_TRUST,
    &PERIMETER_OPENED,
    &GUARD_REMOVED,
    &GUARD_WEAKENED,
    &EXTERNAL_GRANT,
    &EXEMPTION_TAG,
    &UNGUARDED_TABLE,
    &ENDPOINT_OPENED,
    &NETWORK_PATH,
    &STREAM_DESTINATION,
    &CREDENTIAL_CREATED,
    &CHANGE_UNREADABLE,
    &LOGGING_WEAKENED,
    &PRODUCT_CHANGED,
    &MODEL_MISMATCH,
];

/// The rule of that name.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.into_iter().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::error::Error;
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::audit::rule::{Severity, Subject};

    /// The names and defaults that the interface fixes. A name here never changes.
    const FIXED: [(&str, Severity, Subject); 33] = [
        ("public-access", Severity::Critical, Subject::Call),
        ("foreign-endpoint", Severity::Critical, Subject::Call),
        ("root-access", Severity::Critical, Subject::Call),
        ("external-principal", Severity::Critical, Subject::Call),
        ("unapproved-vpc", Severity::High, Subject::Call),
        ("private-unattributed", Severity::High, Subject::Call),
        ("service-path", Severity::High, Subject::Call),
        ("bulk-export", Severity::High, Subject::Call),
        ("unknown-endpoint", Severity::Medium, Subject::Call),
        ("undetermined", Severity::Medium, Subject::Call),
        ("transit", Severity::Low, Subject::Call),
        ("metadata-outside", Severity::Low, Subject::Call),
        ("denied-attempt", Severity::Info, Subject::Call),
        ("break-glass-use", Severity::Info, Subject::Call),
        ("break-glass-out-of-window", Severity::High, Subject::Call),
        ("break-glass-recreated", Severity::Critical, Subject::Call),
        ("forged-event", Severity::High, Subject::Call),
        ("break-glass-name", Severity::Critical, Subject::Change),
        ("break-glass-trust", Severity::Critical, Subject::Change),
        ("perimeter-opened", Severity::Critical, Subject::ProvenChange),
        ("guard-removed", Severity::Critical, Subject::ProvenChange),
        ("guard-weakened", Severity::Medium, Subject::ProvenChange),
        ("external-grant", Severity::Critical, Subject::Change),
        ("exemption-tag", Severity::High, Subject::ProvenChange),
        ("unguarded-table", Severity::High, Subject::Change),
        ("endpoint-opened", Severity::High, Subject::ProvenChange),
        ("network-path", Severity::Medium, Subject::Change),
        ("stream-destination", Severity::Medium, Subject::Change),
        ("credential-created", Severity::Medium, Subject::Change),
        ("change-unreadable", Severity::High, Subject::Change),
        ("logging-weakened", Severity::Critical, Subject::Change),
        ("product-changed", Severity::Critical, Subject::Change),
        ("model-mismatch", Severity::Medium, Subject::ReplayedCall),
    ];

    /// The frameworks that controls are quoted from.
    const FRAMEWORKS: [&str; 5] =
        ["CIS.AWS.v3.0", "ISO.27001:2022", "NIST.800-53.r5", "PCI.DSS.v4.0", "SOC2"];

    fn paragraphs(rule: &Rule) -> impl Iterator<Item = &str> {
        [rule.what, rule.why, rule.remedy].into_iter().flat_map(|text| text.split("\n\n"))
    }

    fn json(rule: &Rule, text: &str) -> Result<Value, String> {
        serde_json::from_str(text).map_err(|error| format!("`{}`: {error}", rule.id))
    }

    fn is_command(paragraph: &str) -> bool {
        paragraph.starts_with("    ")
    }

    #[test]
    fn names_severities_and_subjects_are_those_of_the_interface() {
        for (rule, fixed) in RULES.iter().zip(FIXED) {
            assert_eq!((rule.id, rule.severity, rule.subject), fixed);
        }
    }

    #[test]
    fn every_file_holds_one_rule_of_its_own_name() -> Result<(), Box<dyn Error>> {
        let mut files = BTreeSet::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/audit/rules");
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            assert!(path.extension().is_some_and(|end| end == "rs"), "{}", path.display());
            let name = path.file_stem().and_then(|stem| stem.to_str());
            files.insert(name.ok_or("a file without a name")?.replace('_', "-"));
        }
        let ids: BTreeSet<String> = RULES.iter().map(|rule| rule.id.to_owned()).collect();
        assert_eq!(ids, files);
        assert_eq!(ids.len(), RULES.len(), "a name is taken twice");
        Ok(())
    }

    #[test]
    fn names_are_kebab_case() {
        for rule in RULES {
            let kebab = rule
                .id
                .split('-')
                .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()));
            assert!(kebab, "`{}`", rule.id);
        }
    }

    #[test]
    fn a_rule_is_found_by_its_name_alone() {
        for rule in RULES {
            assert_eq!(find(rule.id).map(|found| found.id), Some(rule.id));
        }
        assert!(find("Public-Access").is_none());
        assert!(find("").is_none());
    }

    #[test]
    fn titles_are_short_and_no_sentences() {
        let mut titles = BTreeSet::new();
        for rule in RULES {
            assert!((1..60).contains(&rule.title.len()), "`{}`: {}", rule.id, rule.title);
            assert!(rule.title.starts_with(char::is_uppercase), "`{}`", rule.id);
            assert!(!rule.title.ends_with('.'), "`{}`", rule.id);
            assert!(titles.insert(rule.title), "`{}`: the title is another rule's", rule.id);
        }
    }

    #[test]
    fn prose_is_in_whole_sentences() {
        for rule in RULES {
            for (paragraph, next) in paragraphs(rule).zip(paragraphs(rule).skip(1).chain([""])) {
                let end = if is_command(next) { ':' } else { '.' };
                if !is_command(paragraph) {
                    assert!(paragraph.ends_with(end), "`{}`: {paragraph}", rule.id);
                    assert!(!paragraph.contains("  "), "`{}`: {paragraph}", rule.id);
                    assert!(!paragraph.contains('\n'), "`{}`: {paragraph}", rule.id);
                }
                assert!(!paragraph.trim().is_empty(), "`{}`: an empty paragraph", rule.id);
            }
            assert!(!is_command(rule.what) && !is_command(rule.why), "`{}`", rule.id);
        }
    }

    #[test]
    fn commands_stand_in_indented_lines_that_fit_a_page() {
        for rule in RULES {
            for line in paragraphs(rule).filter(|text| is_command(text)).flat_map(str::lines) {
                assert!(line.starts_with("    "), "`{}`: {line}", rule.id);
                assert!(line.len() <= 100, "`{}`: {line}", rule.id);
            }
        }
    }

    /// Whoever copies a command must see what to put in: placeholders are in capitals, and nothing looks
    /// like a thing of one's own. (IAM's events really are those of us-east-1.)
    #[test]
    fn commands_hold_placeholders_and_no_samples() {
        let sample = |word: &str| {
            let digits = word.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() >= 12);
            let region = word.contains("eu-west-") || word.contains("f-0a");
            let id = ["vpc-", "vpce-", "sg-", "rtb-", "pcx-", "ou-", "p-0", "AKIA", "AROA"];
            digits || region || id.iter().any(|start| word.starts_with(start))
        };
        for rule in RULES {
            for line in paragraphs(rule).filter(|text| is_command(text)).flat_map(str::lines) {
                let mut words = line.split([' ', '=', '/', ',']);
                assert!(!words.any(sample), "`{}`: {line}", rule.id);
            }
        }
        assert!(sample("eu-west-1") && sample("111122223333") && sample("vpc-0a") && !sample("VPC_ID"));
    }

    #[test]
    fn every_rule_says_what_it_cannot_see() {
        for rule in RULES {
            assert!(rule.what.contains("\n\nCannot see: "), "`{}`", rule.id);
        }
    }

    #[test]
    fn examples_are_records() -> Result<(), Box<dyn Error>> {
        for rule in RULES {
            let example = json(rule, rule.example)?;
            let record = example.get("detail").unwrap_or(&example);
            for field in ["eventSource", "eventName", "awsRegion", "recipientAccountId"] {
                let found = record.get(field);
                assert!(found.is_some_and(Value::is_string), "`{}`: {field}", rule.id);
            }
        }
        Ok(())
    }

    #[test]
    fn policies_within_examples_are_json() -> Result<(), Box<dyn Error>> {
        for rule in RULES {
            let example = json(rule, rule.example)?;
            for field in ["policy", "policyDocument", "content"] {
                if let Some(text) = example.pointer(&format!("/requestParameters/{field}")) {
                    let text = text.as_str().ok_or("a policy that is no string")?;
                    let policy = json(rule, text)?;
                    assert!(policy.get("Statement").is_some(), "`{}`", rule.id);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn controls_are_of_known_frameworks_and_named_once() {
        for rule in RULES {
            assert!(!rule.controls.is_empty(), "`{}`", rule.id);
            let mut seen = BTreeSet::new();
            for control in rule.controls {
                let framework = control.split_once(' ').map(|(framework, _)| framework);
                assert!(
                    framework.is_some_and(|framework| FRAMEWORKS.contains(&framework)),
                    "`{}`: {control}",
                    rule.id
                );
                assert!(seen.insert(control), "`{}`: {control} twice", rule.id);
            }
        }
    }
}
