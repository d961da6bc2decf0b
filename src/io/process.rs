//! Programs: started here, and ended when nobody waits for them any more; and what this one was called with.

use std::ffi::{OsStr, OsString};

use tokio::process::Command;

/// A program to be run. It does not outlive the one who runs it.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.kill_on_drop(true);
    command
}

/// This process's own command line, its name first.
pub fn words() -> Vec<OsString> {
    std::env::args_os().collect()
}
