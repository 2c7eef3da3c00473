//! `perimeter rules`: the list of rules.

use clap::Args;

use super::output::{self, Output};
use super::settings::DEFAULT_CONFIG;
use super::view::{json, rules};
use super::{Common, Done, Ending, Failure, Format};
use crate::perimeter::RuleSettings;

/// Arguments of `rules`.
#[derive(Args, Debug)]
pub struct Rules {}

impl Rules {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let settings = common.rule_settings()?;
        let mut out = Output::open(common)?;
        let listed = rules::listed(settings.as_ref());
        match common.format {
            Format::Text => rules::text(&mut out, settings.as_ref(), &common.onward(None))?,
            Format::Json => json::pretty(&mut out, &listed)?,
            Format::Ndjson => listed.iter().try_for_each(|rule| json::line(&mut out, rule))?,
            Format::Csv => rules::csv(&mut out, settings.as_ref())?,
        }
        out.finish()?;
        Ok(Ending::Clean)
    }
}

impl Common {
    /// What the rules are set to, where there is a perimeter. One that is only found and cannot be
    /// used is no reason not to tell of rules.
    pub fn rule_settings(&self) -> Result<Option<RuleSettings>, Failure> {
        match self.settings() {
            Ok(settings) => Ok(Some(settings.perimeter.rules)),
            Err(failure) if self.named_config().is_some() => Err(failure),
            Err(_) if !std::path::Path::new(DEFAULT_CONFIG).exists() => Ok(None),
            Err(failure) => {
                self.remark("the rules are shown as they are by default, since the perimeter cannot be used");
                if !self.quiet {
                    output::failure(&failure, self.colored());
                }
                Ok(None)
            }
        }
    }
}
