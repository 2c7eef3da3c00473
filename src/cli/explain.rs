//! `perimeter explain`: a rule or a lint, explained.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::arguments::RuleName;
use super::output::Output;
use super::view::{json, lint_page, plain_line, rule_page};
use super::{Common, Done, Ending, Failure, Format};
use crate::audit::rule::Rule;
use crate::audit::rules::{self, RULES};
use crate::iam::lint::{self, LINTS, Lint};
use crate::perimeter::RuleSettings;

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct Explain {
    /// Rules, as `perimeter rules` lists them, and lints, as `perimeter prove` names them
    #[arg(
        required = true,
        value_name = "RULE",
        value_parser = RuleName { or_lint: true },
        hide_possible_values = true
    )]
    names: Vec<String>,
}

/// What a name stands for.
enum Named {
    Rule(&'static Rule),
    Lint(&'static Lint),
}

/// The same, for programs.
#[derive(Serialize)]
#[serde(untagged)]
enum Explained<'r> {
    Rule(rule_page::Explained<'r>),
    Lint(lint_page::Explained),
}

impl Explain {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let found = self.names.iter().map(|name| find(name)).collect::<Result<Vec<_>, _>>()?;
        let settings = common.rule_settings()?;
        let settings = settings.as_ref();
        let explained = found.iter().map(|named| match named {
            Named::Rule(rule) => Explained::Rule(rule_page::Explained::new(rule, settings)),
            Named::Lint(lint) => Explained::Lint(lint_page::Explained::new(lint)),
        });
        let explained: Vec<_> = explained.collect();
        let mut out = Output::open(common)?;
        match (common.format, explained.as_slice()) {
            (Format::Text, _) => text(&mut out, &found, settings)?,
            (Format::Json, [one]) => json::pretty(&mut out, one)?,
            (Format::Json, all) => json::pretty(&mut out, &all)?,
            (Format::Ndjson, all) => all.iter().try_for_each(|one| json::line(&mut out, one))?,
            (Format::Csv, _) => csv(&mut out, explained)?,
        }
        out.finish()?;
        Ok(Ending::Clean)
    }
}

fn find(name: &str) -> Result<Named, Failure> {
    let rule = || rules::find(name).map(Named::Rule);
    rule().or_else(|| lint::find(name).map(Named::Lint)).ok_or_else(|| unknown_of_all(name))
}

fn text(out: &mut Output, found: &[Named], settings: Option<&RuleSettings>) -> io::Result<()> {
    for (at, named) in found.iter().enumerate() {
        if at > 0 {
            writeln!(out, "\n")?;
        }
        match named {
            Named::Rule(rule) => rule_page::text(out, rule, settings)?,
            Named::Lint(lint) => lint_page::text(out, lint)?,
        }
    }
    Ok(())
}

fn csv(out: &mut Output, explained: Vec<Explained<'_>>) -> io::Result<()> {
    let (mut rules, mut lints) = (Vec::new(), Vec::new());
    for one in explained {
        match one {
            Explained::Rule(rule) => rules.push(rule),
            Explained::Lint(lint) => lints.push(lint),
        }
    }
    rule_page::csv(out, &rules, &lints)
}

/// Names the rules that may have been meant.
pub fn unknown(name: &str) -> Failure {
    let names: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    let hint = hint(name, &names);
    let name = plain_line(name);
    Failure::Said(format!("no rule is named `{name}`\n{hint}`perimeter rules` lists them all"))
}

/// Names the rules and lints that may have been meant.
fn unknown_of_all(name: &str) -> Failure {
    let names: Vec<&str> = RULES.iter().map(|rule| rule.id).chain(LINTS.map(|lint| lint.name)).collect();
    let hint = hint(name, &names);
    let name = plain_line(name);
    Failure::Said(format!("no rule or lint is named `{name}`\n{hint}`perimeter rules` lists all rules"))
}

fn hint(name: &str, names: &[&str]) -> String {
    let given = name.to_ascii_lowercase().replace(['_', ' '], "-");
    let mut near: Vec<(f64, &str)> =
        names.iter().map(|known| (strsim::jaro_winkler(&given, known), *known)).collect();
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    let parts = names.iter().copied().filter(|known| given.len() > 2 && known.contains(&given));
    let mut meant: Vec<&str> = parts.collect();
    meant.extend(near.iter().filter(|(likeness, _)| *likeness > 0.82).map(|(_, known)| *known).take(3));
    let mut seen = std::collections::HashSet::new();
    meant.retain(|known| seen.insert(*known));
    meant.truncate(4);
    if meant.is_empty() { String::new() } else { format!("did you mean `{}`?\n", meant.join("`, `")) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// The commands that a text tells people to run: those in backticks, and lines of their own.
    fn commands(text: &str) -> Vec<Vec<&str>> {
        let quoted = text.split('`').skip(1).step_by(2);
        let lines = text.lines().filter(|line| line.starts_with("    "));
        let words = quoted.chain(lines).map(|code| code.split_whitespace().collect::<Vec<_>>());
        words.filter(|words| words.first() == Some(&"perimeter")).collect()
    }

    #[test]
    fn rules_tell_people_to_run_what_this_version_has() {
        let mut told = 0;
        let cli = Cli::command();
        for rule in RULES {
            for words in [rule.what, rule.why, rule.remedy].into_iter().flat_map(commands) {
                told += 1;
                let mut command = &cli;
                for word in &words[1..] {
                    if command.has_subcommands() {
                        let found = command.find_subcommand(word);
                        command = found.unwrap_or_else(|| panic!("`{}`: {}", rule.id, words.join(" ")));
                    } else if let Some(option) = word.strip_prefix("--") {
                        let known = |arg: &&clap::Arg| arg.get_long() == Some(option);
                        let all = command.get_arguments().chain(cli.get_arguments());
                        assert!(all.into_iter().any(|arg| known(&arg)), "`{}`: {}", rule.id, words.join(" "));
                    }
                }
            }
        }
        assert!(told > 2, "{told}");
        assert_eq!(
            commands("as `perimeter prove A`:\n\n    perimeter verify B\n\nthe perimeter holds").len(),
            2
        );
    }

    #[test]
    fn unknown_names_get_a_hint() {
        let cases = [
            ("public-acess", "did you mean `public-access`"),
            ("Public_Access", "did you mean `public-access`"),
            ("unaproved-vpc", "did you mean `unapproved-vpc`"),
            ("break-glass", "`break-glass-use`"),
            ("zzzz", "`zzzz`\n`perimeter rules`"),
            ("", "``\n`perimeter rules`"),
        ];
        for (name, hint) in cases {
            let said = unknown(name).to_string();
            assert!(said.contains(hint), "{name}: {said}");
        }
        let all = |name| unknown_of_all(name).to_string();
        assert!(all("string-like").contains("`string-like-principal-arn`"), "{}", all("string-like"));
        assert!(all("Wildcard_in_equal").contains("`wildcard-in-equals`"));
        assert!(!unknown("wildcard-in-equals").to_string().contains("did you mean `wildcard"));
    }
}
