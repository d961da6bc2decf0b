//! Programs: started here, and ended when nobody waits for them any more.

use std::ffi::OsStr;

use tokio::process::Command;

/// A program to be run. It does not outlive the one who runs it.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.kill_on_drop(true);
    command
}
