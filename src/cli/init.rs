//! `perimeter init`: an annotated perimeter.toml to begin with.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::{Output, is_special};
use super::view::onward::shell_word;
use super::{Common, Done, Ending, Failure};

/// The file that is written.
const EXAMPLE: &str = include_str!("../perimeter/example.toml");

/// Arguments of `init`.
#[derive(Args, Debug)]
pub struct Init {
    /// The file, or the folder for it; as --output [default: perimeter.toml]
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Replace the file that is there
    #[arg(long)]
    force: bool,
}

impl Init {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let path = match (&self.path, &common.output) {
            (Some(_), Some(_)) => {
                return Err(Failure::Said("give the file as PATH or as --output, not both".to_owned()));
            }
            (Some(path), None) | (None, Some(path)) => path.clone(),
            (None, None) => PathBuf::from("perimeter.toml"),
        };
        if common.output.as_deref().is_some_and(is_special) {
            let mut out = Output::open(common)?;
            out.write_all(EXAMPLE.as_bytes())?;
            out.finish()?;
            return Ok(Ending::Clean);
        }
        let path = if path.is_dir() { path.join("perimeter.toml") } else { path };
        write(&path, self.force).map_err(|error| refused(&path, &error))?;
        let named = if path == Path::new("perimeter.toml") {
            String::new()
        } else {
            format!(" --config {}", shell_word(&path.to_string_lossy()))
        };
        common.remark(&format!(
            "`{}` is written. Put your accounts and VPCs in, then audit a folder of logs: `perimeter scan{named} PATH`",
            path.display()
        ));
        Ok(Ending::Clean)
    }
}

fn write(path: &Path, force: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path)?.write_all(EXAMPLE.as_bytes())
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::Said(if error.kind() == io::ErrorKind::AlreadyExists {
        format!("`{path}` is there already: --force replaces it")
    } else {
        format!("cannot write `{path}`: {error}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_replaced_unless_forced() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("perimeter.toml");
        write(&path, false)?;
        std::fs::write(&path, "mine")?;
        let said = write(&path, false).map_err(|error| refused(&path, &error)).unwrap_err().to_string();
        assert!(said.contains("there already: --force"), "{said}");
        assert_eq!(std::fs::read_to_string(&path)?, "mine");
        write(&path, true)?;
        assert_eq!(std::fs::read_to_string(&path)?, EXAMPLE);
        Ok(())
    }
}
