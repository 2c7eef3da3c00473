//! `perimeter explain`: a rule, explained.

use std::io::Write;

use clap::Args;

use super::arguments::RuleName;
use super::output::Output;
use super::view::{json, plain_line, rule_page};
use super::{Common, Done, Ending, Failure, Format};
use crate::audit::rules::{self, RULES};

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct Explain {
    /// Rules, as `perimeter rules` lists them
    #[arg(required = true, value_name = "RULE", value_parser = RuleName, hide_possible_values = true)]
    names: Vec<String>,
}

impl Explain {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let found = self.names.iter().map(|name| rules::find(name).ok_or_else(|| unknown(name)));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let settings = common.rule_settings()?;
        let settings = settings.as_ref();
        let explained: Vec<_> = found.iter().map(|rule| rule_page::Explained::new(rule, settings)).collect();
        let mut out = Output::open(common)?;
        match (common.format, explained.as_slice()) {
            (Format::Text, _) => {
                for (at, rule) in found.iter().enumerate() {
                    if at > 0 {
                        writeln!(out, "\n")?;
                    }
                    rule_page::text(&mut out, rule, settings)?;
                }
            }
            (Format::Json, [one]) => json::pretty(&mut out, one)?,
            (Format::Json, all) => json::pretty(&mut out, &all)?,
            (Format::Ndjson, all) => all.iter().try_for_each(|rule| json::line(&mut out, rule))?,
            (Format::Csv, all) => rule_page::csv(&mut out, all)?,
        }
        out.finish()?;
        Ok(Ending::Clean)
    }
}

/// Names the rules that may have been meant.
pub fn unknown(name: &str) -> Failure {
    let given = name.to_ascii_lowercase().replace(['_', ' '], "-");
    let mut near: Vec<(f64, &str)> =
        RULES.iter().map(|rule| (strsim::jaro_winkler(&given, rule.id), rule.id)).collect();
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    let parts = RULES.iter().map(|rule| rule.id).filter(|id| given.len() > 2 && id.contains(&given));
    let mut meant: Vec<&str> = parts.collect();
    meant.extend(near.iter().filter(|(likeness, _)| *likeness > 0.82).map(|(_, id)| *id).take(3));
    let mut seen = std::collections::HashSet::new();
    meant.retain(|id| seen.insert(*id));
    meant.truncate(4);
    let name = plain_line(name);
    let hint =
        if meant.is_empty() { String::new() } else { format!("did you mean `{}`?\n", meant.join("`, `")) };
    Failure::Said(format!("no rule is named `{name}`\n{hint}`perimeter rules` lists them all"))
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
    }
}
