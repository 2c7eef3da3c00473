//! What a command runs with: the perimeter, the inventory, the store.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::parser::ValueSource;
use sha2::{Digest, Sha256};

use super::output::{drawn, remark};
use super::{Common, Failure};
use crate::aws::findings_table::FindingsTable;
use crate::aws::store_url::{StoreUrl, StoreUrlError};
use crate::findings::store::FindingStore;
use crate::iam::state::snapshot::Snapshot;
use crate::perimeter::config::{self, ConfigErrors, Diagnostic, Omitted};
use crate::perimeter::inventory::{self, Inventory};
use crate::perimeter::{Endpoint, Perimeter};

/// Where the configuration is, where nobody says.
pub const DEFAULT_CONFIG: &str = "perimeter.toml";

/// A perimeter and where it was read.
pub struct Settings {
    /// What is approved.
    pub perimeter: Perimeter,
    /// Endpoints of the perimeter and of `--endpoints`.
    pub inventory: Inventory,
    /// The configuration's path.
    pub path: PathBuf,
    /// What may not be meant as it was set, in words: a line each.
    pub warnings: Vec<String>,
    /// The first of them again, as they are drawn for a terminal.
    drawings: Vec<String>,
}

impl Common {
    /// Reads the perimeter and the lists of endpoints.
    pub fn settings(&self) -> Result<Settings, Failure> {
        let path = self.named_config().map_or_else(|| PathBuf::from(DEFAULT_CONFIG), Path::to_path_buf);
        let bytes = read_bounded(&path).map_err(|error| self.no_config(&path, &error))?;
        let shown = path.display().to_string();
        let text = config::decode(&bytes).map_err(|errors| self.refused(&shown, "", &errors))?;
        let parsed = config::parse(text).map_err(|errors| self.refused(&shown, text, &errors))?;
        let mut settings = Settings {
            inventory: Inventory::default(),
            warnings: said(&shown, &parsed.warnings, parsed.omitted),
            drawings: self.drawn(&shown, text, &parsed.warnings, "warning", parsed.omitted),
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

    /// The perimeter that was asked for by name.
    pub fn named_config(&self) -> Option<&Path> {
        self.config.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    /// Draws what the configuration warns of for whoever wants to know more; every summary has it in a
    /// line each.
    pub fn draw_warnings(&self, settings: &Settings) {
        if self.verbose > 0 && !self.quiet {
            settings.drawings.iter().for_each(|drawing| drawn(&format!("{drawing}\n")));
        }
    }

    fn refused(&self, path: &str, text: &str, found: &ConfigErrors) -> Failure {
        Failure::Configuration(self.drawn(path, text, &found.errors, "error", found.omitted).join("\n\n"))
    }

    /// A drawing each, and one more for what is omitted.
    fn drawn(
        &self,
        path: &str,
        text: &str,
        found: &[Diagnostic],
        label: &str,
        omitted: Omitted,
    ) -> Vec<String> {
        let color = self.colored();
        let drawings = found.iter().map(|one| one.render(path, text, color));
        drawings.chain(omitted.said().map(|more| format!("{label}: {more}"))).collect()
    }

    fn no_config(&self, path: &Path, error: &std::io::Error) -> Failure {
        let named = self.named_config().is_some();
        let shown = path.display();
        let hint = match error.kind() {
            ErrorKind::NotFound if named => {
                format!("\nWrite it with `perimeter init {shown}`, or name another.")
            }
            ErrorKind::NotFound => "\nWrite one with `perimeter init`, or name one with --config.".to_owned(),
            _ => String::new(),
        };
        Failure::Said(format!("no perimeter: {shown}: {error}{hint}"))
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
        let found = described_in(file)?;
        if found.is_empty() {
            self.warnings.push(format!("--endpoints {}: it lists no endpoint", file.display()));
        }
        for endpoint in found {
            self.inventory.learn(endpoint).map_err(|error| unusable(file, &error.to_string()))?;
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

/// Reads what `--snapshot` names.
pub fn read_snapshot(path: &Path) -> Result<Snapshot, Failure> {
    let read = Snapshot::unpack(&read_file(path)?);
    read.map_err(|error| Failure::Said(format!("--snapshot {}: {error}", path.display())))
}

/// The bytes of what `--snapshot` names: packed, as the function `collector` keeps it, or not.
pub fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::Said(format!("--snapshot {}: {error}", path.display())))
}

/// The endpoints of a file that `--endpoints` names.
pub fn described_in(file: &Path) -> Result<Vec<Endpoint>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| unusable(file, &error.to_string()))?;
    inventory::described(&text).map_err(|error| unusable(file, &error.to_string()))
}

fn unusable(file: &Path, why: &str) -> Failure {
    Failure::Said(format!("--endpoints {}: {why}", file.display()))
}

/// From then on it is said that a store is waited for.
const SOON: Duration = Duration::from_secs(2);

impl Common {
    /// Opens the store; `None` where nothing is to be kept.
    pub async fn open(&self, url: &StoreUrl) -> Result<Option<FindingsTable>, Failure> {
        let (opened, waiting) = std::sync::mpsc::channel::<()>();
        let text = format!("waiting for the store {url}: another process may have locked it");
        let common = self.clone();
        // On a thread of its own: a locked file blocks the one that opens it.
        std::thread::spawn(move || {
            if waiting.recv_timeout(SOON) == Err(RecvTimeoutError::Timeout) {
                common.remark(&text);
            }
        });
        let store = url.open().await;
        drop(opened);
        Ok(store?)
    }
}

/// What is read of a perimeter: enough to see that there is more of it than may be.
fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(config::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What is found, a line each, and one more for what is omitted.
fn said(path: &str, found: &[Diagnostic], omitted: Omitted) -> Vec<String> {
    let lines = found.iter().map(|one| match one.line {
        0 => format!("{path}: {}", one.sentence()),
        line => format!("{path}:{line}:{}: {}", one.column, one.sentence()),
    });
    lines.chain(omitted.said().map(|more| format!("{path}: {more}"))).collect()
}

/// The value of `--config`. The environment's, where it is empty, is none: that is how one is taken
/// back for a single call.
#[derive(Clone, Debug)]
pub struct ConfigPath;

impl TypedValueParser for ConfigPath {
    type Value = PathBuf;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<PathBuf, clap::Error> {
        PathBufValueParser::new().parse_ref(command, arg, value)
    }

    fn parse_ref_(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<PathBuf, clap::Error> {
        if source == ValueSource::EnvVariable && value.is_empty() {
            return Ok(PathBuf::new());
        }
        self.parse_ref(command, arg, value)
    }
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
