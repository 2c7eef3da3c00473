//! What a command runs with: the perimeter, the inventory, the store.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::output::remark;
use super::{Common, Failure};
use crate::aws::findings_table::FindingsTable;
use crate::aws::store_url::{StoreUrl, StoreUrlError};
use crate::findings::store::FindingStore;
use crate::perimeter::inventory::{self, Inventory};
use crate::perimeter::{Perimeter, config};

/// A perimeter and where it was read.
pub struct Settings {
    /// What is approved.
    pub perimeter: Perimeter,
    /// Endpoints of the perimeter and of `--endpoints`.
    pub inventory: Inventory,
    /// The configuration's path.
    pub path: PathBuf,
    /// Risky settings, in words.
    pub warnings: Vec<String>,
}

impl Common {
    /// Reads the perimeter and the lists of endpoints.
    pub fn settings(&self) -> Result<Settings, Failure> {
        let path = self.config.clone().unwrap_or_else(|| PathBuf::from("perimeter.toml"));
        let text = std::fs::read_to_string(&path)
            .map_err(|error| no_config(&path, &error, self.config.is_some()))?;
        let shown = path.display().to_string();
        let parsed = config::parse(&text).map_err(|errors| {
            let rendered = errors.0.iter().map(|error| error.render(&shown, &text, self.colored()));
            Failure::Configuration(rendered.collect::<Vec<_>>().join("\n\n"))
        })?;
        let warnings = parsed
            .warnings
            .iter()
            .map(|warning| format!("{shown}:{}:{}: {}", warning.line, warning.column, warning.message));
        let mut settings = Settings {
            inventory: Inventory::default(),
            warnings: warnings.collect(),
            perimeter: parsed.perimeter,
            path,
        };
        for endpoint in &settings.perimeter.endpoints {
            settings.inventory.learn(endpoint.clone()).map_err(|error| Failure::Said(error.to_string()))?;
        }
        for file in &self.endpoints {
            settings.learn_file(file)?;
        }
        Ok(settings)
    }

    /// Are messages to be coloured?
    pub fn colored(&self) -> bool {
        match self.color {
            clap::ColorChoice::Always => true,
            clap::ColorChoice::Never => false,
            clap::ColorChoice::Auto => {
                anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
            }
        }
    }

    /// Where findings are kept.
    pub fn store_url(&self, settings: &Settings) -> Result<StoreUrl, Failure> {
        match &self.store {
            Some(text) => {
                text.parse().map_err(|error: StoreUrlError| Failure::Said(format!("--store: {error}")))
            }
            None => Ok(StoreUrl::File(default_store(settings)?)),
        }
    }

    /// Names something that could not be done.
    pub fn fault(&self, text: &str) {
        super::output::fault(text, self.colored());
    }

    /// Says something to the user, who may not want to hear it.
    pub fn remark(&self, text: &str) {
        if !self.quiet {
            remark(text, self.colored());
        }
    }
}

impl Settings {
    fn learn_file(&mut self, file: &Path) -> Result<(), Failure> {
        let failed = |why: String| Failure::Said(format!("--endpoints {}: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
        for endpoint in inventory::described(&text).map_err(|error| failed(error.to_string()))? {
            self.inventory.learn(endpoint).map_err(|error| failed(error.to_string()))?;
        }
        Ok(())
    }

    /// Adds the endpoints that the store remembers. Where it says other than the configuration, which
    /// somebody reviewed, the configuration counts.
    pub async fn learn_store(&mut self, store: &FindingsTable) -> Result<(), Failure> {
        for endpoint in store.endpoints().await? {
            if let Err(contradiction) = self.inventory.learn(endpoint) {
                self.warnings.push(format!("the store is not followed: {contradiction}"));
            }
        }
        Ok(())
    }
}

/// Opens the store; `None` where nothing is to be kept.
pub async fn open(url: &StoreUrl) -> Result<Option<FindingsTable>, Failure> {
    Ok(url.open().await?)
}

fn no_config(path: &Path, error: &std::io::Error, named: bool) -> Failure {
    let hint = if named { "" } else { "\nWrite one with `perimeter init`, or name one with --config." };
    Failure::Said(format!("no perimeter: {}: {error}{hint}", path.display()))
}

/// One file for each perimeter, so that two organizations' findings never mix.
fn default_store(settings: &Settings) -> Result<PathBuf, Failure> {
    let none = || Failure::Said("no data folder for the store; name one with --store".to_owned());
    let folder = directories::ProjectDirs::from("", "", "dynamodb-perimeter").ok_or_else(none)?;
    let path = std::fs::canonicalize(&settings.path).unwrap_or_else(|_| settings.path.clone());
    let mut hash = Sha256::new();
    hash.update(settings.perimeter.organization.as_deref().unwrap_or_default());
    hash.update([0]);
    hash.update(path.as_os_str().as_encoded_bytes());
    let name: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(folder.data_dir().join(format!("findings-{name}.db")))
}
