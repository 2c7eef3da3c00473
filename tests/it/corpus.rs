//! The samples in events/, judged by the repository's own perimeter.toml, are what
//! events/expected.toml says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use dynamodb_perimeter::cloudtrail::archive::Reader;
use dynamodb_perimeter::perimeter::inventory::Inventory;
use dynamodb_perimeter::perimeter::{Perimeter, config};
use dynamodb_perimeter::pipeline::{Audited, Auditor, Line, Tally};
use serde::Deserialize;

type Tested = Result<(), Box<dyn std::error::Error>>;

#[derive(Deserialize)]
struct Expected {
    sample: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    file: String,
    record: Vec<Record>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Record {
    verdict: String,
    rule: Option<String>,
    severity: Option<String>,
    origin: Option<String>,
    principal: Option<String>,
    outcome: Option<String>,
}

impl Record {
    /// As a judged record; what `expected` leaves out is left out here.
    fn of(line: &Line, expected: &Record) -> Self {
        let asked = |value: &str, expected: &Option<String>| expected.as_ref().map(|_| value.to_owned());
        Record {
            verdict: line.verdict.name().to_owned(),
            rule: line.rule.map(str::to_owned),
            severity: line.severity.map(|severity| severity.name().to_owned()),
            origin: asked(line.origin.kind.name(), &expected.origin),
            principal: asked(line.principal.kind.name(), &expected.principal),
            outcome: asked(line.outcome.name(), &expected.outcome),
        }
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn perimeter() -> Result<Perimeter, Box<dyn std::error::Error>> {
    let text = fs::read_to_string(root().join("perimeter.toml"))?;
    let parsed = config::parse(&text)?;
    Ok(parsed.perimeter)
}

pub fn inventory(perimeter: &Perimeter) -> Inventory {
    let mut inventory = Inventory::default();
    for endpoint in &perimeter.endpoints {
        inventory.learn(endpoint.clone()).unwrap();
    }
    inventory
}

pub fn samples() -> Result<Vec<PathBuf>, Box<dyn std::error::Error>> {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("events"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_none_or(|ending| ending != "toml"));
    files.sort();
    Ok(files)
}

fn judged(auditor: &Auditor<'_>, path: &Path) -> Result<Vec<Line>, Box<dyn std::error::Error>> {
    let mut lines = Vec::new();
    let mut faults = Vec::new();
    let mut tally = Tally::default();
    Reader::default().read(&mut fs::File::open(path)?, &mut |element| {
        auditor.element(&element, true, &mut tally, &mut |audited| match audited {
            Audited::Record(judged) => lines.push(judged.line()),
            Audited::Plain(_) | Audited::LogFile(_) => {}
            Audited::Fault(fault) => faults.push(fault),
        });
    });
    assert!(faults.is_empty(), "{}: {faults:?}", path.display());
    Ok(lines)
}

#[test]
fn every_sample_has_its_verdict() -> Tested {
    let expected: Expected = toml::from_str(&fs::read_to_string(root().join("events/expected.toml"))?)?;
    let perimeter = perimeter()?;
    let inventory = inventory(&perimeter);
    let auditor = Auditor::new(&perimeter, &inventory);
    let mut wrong = Vec::new();
    for sample in &expected.sample {
        let lines = judged(&auditor, &root().join("events").join(&sample.file))?;
        if lines.len() != sample.record.len() {
            wrong.push(format!("{}: {} records, {} expected", sample.file, lines.len(), sample.record.len()));
        }
        for (line, expected) in lines.iter().zip(&sample.record) {
            let found = Record::of(line, expected);
            if found != *expected {
                wrong.push(format!(
                    "{}:\n    is       {found:?}\n    expected {expected:?}\n    because  {}",
                    sample.file, line.reason
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_sample_is_expected_and_there_are_enough() -> Tested {
    let expected: Expected = toml::from_str(&fs::read_to_string(root().join("events/expected.toml"))?)?;
    let listed: BTreeSet<String> = expected.sample.into_iter().map(|sample| sample.file).collect();
    let there: BTreeSet<String> =
        samples()?.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    assert_eq!(listed, there);
    assert!(there.len() >= 40);
    Ok(())
}

#[test]
fn a_shortcut_never_changes_a_verdict() -> Tested {
    let perimeter = perimeter()?;
    let inventory = inventory(&perimeter);
    let auditor = Auditor::new(&perimeter, &inventory);
    for path in samples()? {
        let count = |in_full| -> Result<_, Box<dyn std::error::Error>> {
            let mut tally = Tally::default();
            Reader::default().read(&mut fs::File::open(&path)?, &mut |element| {
                auditor.element(&element, in_full, &mut tally, &mut |_| {});
            });
            let verdicts = tally.verdicts;
            let deltas = tally.take_deltas();
            let mut findings: Vec<String> =
                deltas.iter().map(|delta| delta.sightings.identity.id()).collect();
            findings.sort();
            Ok((verdicts, findings))
        };
        assert_eq!(count(true)?, count(false)?, "{}", path.display());
    }
    Ok(())
}
