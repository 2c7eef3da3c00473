//! `perimeter completions` and `perimeter man`: made from the arguments.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::output::Output;
use super::view::plain_line;
use super::{Cli, Common, Done, Ending, Failure};

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "perimeter", &mut text);
        write(common, &text)
    }
}

/// Arguments of `man`.
#[derive(Args, Debug)]
pub struct Man {
    /// A command, as `scan` or `findings list` [default: the page of perimeter itself]
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

impl Man {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let mut root = Cli::command();
        // Gives every command its full name and the options that all take.
        root.build();
        let mut command = &root;
        for name in &self.command {
            let none =
                || Failure::Said(format!("no command is named `{}`", plain_line(&self.command.join(" "))));
            command = command.find_subcommand(name).ok_or_else(none)?;
        }
        let title = command.get_bin_name().unwrap_or("perimeter").replace(' ', "-");
        let page = command.clone().display_name(title);
        let mut text = Vec::new();
        clap_mangen::Man::new(page).render(&mut text)?;
        write(common, &text)
    }
}

fn write(common: &Common, text: &[u8]) -> Done {
    let mut out = Output::open(common)?;
    out.write_all(text)?;
    out.finish()?;
    Ok(Ending::Clean)
}
