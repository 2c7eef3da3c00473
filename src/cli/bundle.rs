//! Bundles as arguments: read, and with the perimeter that they are judged by.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::settings::described_in;
use super::{Common, Failure};
use crate::perimeter::Perimeter;
use crate::perimeter::inventory::{Contradiction, Inventory};
use crate::prove::bundle::{Bundle, MAX_BYTES};

/// A bundle, and what it is called in messages.
pub struct Named {
    pub name: String,
    /// What it was read from, which places point into.
    pub text: String,
    pub bundle: Bundle,
}

impl Common {
    /// Reads a bundle: a file, or `-` for standard input.
    pub fn bundle(&self, path: &Path) -> Result<Named, Failure> {
        let name = path.display().to_string();
        let unread = |error: io::Error| Failure::Said(format!("{name}: {error}"));
        let text = read(path).map_err(unread)?;
        let bundle = Bundle::parse(&text).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(|error| format!("{name}:{error}")).collect();
            Failure::Said(lines.join("\n"))
        })?;
        Ok(Named { name, text, bundle })
    }

    /// The perimeter that a bundle is judged by: that of `--config`, else its own, else the usual one.
    pub fn perimeter_of(&self, bundle: &Bundle) -> Result<Perimeter, Failure> {
        let mut perimeter = match &bundle.perimeter {
            Some(own) if !self.config_is_an_argument() => {
                self.say("judged by the bundle's own perimeter");
                own.clone()
            }
            Some(_) | None => {
                let settings = self.settings()?;
                self.say(&format!("judged by {}", settings.path.display()));
                settings.perimeter
            }
        };
        self.add_endpoints(&mut perimeter)?;
        Ok(perimeter)
    }

    /// Adds those of `--endpoints` to what a proof knows.
    fn add_endpoints(&self, perimeter: &mut Perimeter) -> Result<(), Failure> {
        let mut inventory = Inventory::default();
        let failed = |error: Contradiction| Failure::Said(error.to_string());
        for known in &perimeter.endpoints {
            inventory.learn(known.clone()).map_err(failed)?;
        }
        for file in &self.endpoints {
            for endpoint in described_in(file)? {
                if inventory.learn(endpoint.clone()).map_err(failed)? {
                    perimeter.endpoints.push(endpoint);
                }
            }
        }
        Ok(())
    }

    /// Says what is used, to whoever wants to know more.
    fn say(&self, text: &str) {
        if self.verbose > 0 {
            self.remark(text);
        }
    }

    /// Is the configuration named among the arguments, and not by the environment?
    fn config_is_an_argument(&self) -> bool {
        let names = |argument: &OsStr| {
            let text = argument.to_string_lossy();
            text == "--config" || text.starts_with("--config=")
        };
        self.named_config().is_some() && std::env::args_os().any(|argument| names(&argument))
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    source.take(MAX_BYTES as u64 + 1).read_to_string(&mut text)?;
    if text.len() > MAX_BYTES {
        return Err(io::Error::other(format!("longer than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(text)
}
