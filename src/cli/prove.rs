//! `perimeter prove`: do the policies of a bundle keep the perimeter?

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::output::Output;
use super::view::{json, lints, proof};
use super::{Common, Done, Ending, Format};
use crate::prove::answer::{Inquiry, Verdict, Within};
use crate::prove::lint;

/// Arguments of `prove`.
#[derive(Args, Debug)]
pub struct Prove {
    /// Bundles of policies, in JSON; `-` for standard input
    #[arg(required = true, value_name = "BUNDLE")]
    bundles: Vec<PathBuf>,
    /// Ask what is newly allowed from outside, beside what this bundle allows
    #[arg(long, value_name = "OLD")]
    baseline: Option<PathBuf>,
    /// Say what keeps requests out, for every answer but `open`
    #[arg(long)]
    explain: bool,
}

impl Prove {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let baseline = self.baseline.as_ref().map(|path| common.bundle(path)).transpose()?;
        let mut out = Output::open(common)?;
        let mut ending = Ending::Clean;
        let mut shown = proof::Verdicts::default();
        for path in &self.bundles {
            let named = match common.bundle(path) {
                Ok(named) => named,
                Err(failure) => {
                    common.fault(&failure.to_string());
                    ending = Ending::Incomplete;
                    continue;
                }
            };
            if let Some(missing) = named.bundle.asks_nothing() {
                common.fault(&format!("{}: nothing is asked: the bundle has no `{missing}`", named.name));
                ending = Ending::Incomplete;
                continue;
            }
            let perimeter = common.perimeter_of(&named.bundle)?;
            let of = proof::Of { bundle: &named.bundle, perimeter: &perimeter };
            let inquiry = Inquiry {
                bundle: &named.bundle,
                perimeter: &perimeter,
                now: Timestamp::now(),
                baseline: baseline.as_ref().map(|named| &named.bundle),
                explain: self.explain,
                threads: common.threads(),
                within: Within::default(),
            };
            let answers = inquiry.answers();
            for answer in &answers {
                ending = ending.max(match answer.verdict {
                    Verdict::Open => Ending::Findings,
                    Verdict::Unknown => Ending::Incomplete,
                    Verdict::Enforced | Verdict::BreakGlassOnly | Verdict::NoAccess => Ending::Clean,
                });
            }
            match common.format {
                Format::Text => {
                    proof::text(&mut out, &named.name, &answers, &of)?;
                    lints::text(&mut out, &named.name, &lint::lints(&named.bundle, &named.text))?;
                }
                Format::Json => {
                    shown.verdicts.extend(answers.iter().map(|answer| proof::Shown::of(answer, &of)));
                    let found = lint::lints(&named.bundle, &named.text);
                    shown.lints.extend(found.into_iter().map(|lint| lints::Shown::of(&named.name, lint)));
                }
                Format::Ndjson => {
                    answers
                        .iter()
                        .try_for_each(|answer| json::line(&mut out, &proof::Shown::of(answer, &of)))?;
                }
                Format::Csv => proof::csv(&mut out, &answers, &of)?,
            }
        }
        if common.format == Format::Json {
            json::pretty(&mut out, &shown)?;
        }
        out.finish()?;
        Ok(ending)
    }
}
