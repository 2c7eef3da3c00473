//! Writes bundles such as organizations have, for scripts that measure or compare proofs:
//!
//! ```text
//! cargo run --release --no-default-features --example bundles -- --count 1000 --seed 1 --into FOLDER
//! cargo run --release --no-default-features --example bundles -- --snapshot 10000 --into FILE
//! ```

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../benches/bundles/mod.rs"]
mod bundles;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read(std::env::args().skip(1))?;
    if let Some(roles) = options.snapshot {
        fs::write(&options.into, bundles::snapshot(options.seed, roles))?;
        return Ok(());
    }
    corpus(&options.into, options.seed, options.count)
}

/// One file for each seed, named after it.
fn corpus(folder: &Path, seed: u64, count: u64) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    for seed in seed..seed.saturating_add(count) {
        fs::write(folder.join(format!("{seed:06}.json")), bundles::bundle(seed))?;
    }
    Ok(())
}

struct Options {
    count: u64,
    seed: u64,
    snapshot: Option<usize>,
    into: PathBuf,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self { count: 1000, seed: 1, snapshot: None, into: PathBuf::new() };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--count" => options.count = value.parse()?,
                "--seed" => options.seed = value.parse()?,
                "--snapshot" => options.snapshot = Some(value.parse()?),
                "--into" => options.into = PathBuf::from(value),
                _ => return Err(format!("no such option: {name}").into()),
            }
        }
        if options.into.as_os_str().is_empty() {
            return Err("--into, please: a folder, or with --snapshot a file".into());
        }
        Ok(options)
    }
}
