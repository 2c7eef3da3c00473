//! The command `perimeter`.

use std::process::ExitCode;

fn main() -> ExitCode {
    dynamodb_perimeter::cli::run()
}
