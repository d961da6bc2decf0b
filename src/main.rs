//! Parses the command line, runs the command, maps the error to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(tomoda_release::cli::main())
}
