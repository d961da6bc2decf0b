//! The command line: one thin file per command.
//!
//! Here: arguments, the choice of what to wire together, and the exit code.
//! Never here: a decision about a release.
//! Start reading at `promote.rs`. Used by `main.rs` only.

use std::ffi::OsString;

use clap::{Parser, Subcommand, ValueEnum};

use crate::error::Result;
use crate::report::Out;

mod bump;
mod explain;
mod journey;
mod ledger;
mod next_version;
mod open;
mod plan;
mod promote;
mod rehearse;
mod set_image;
mod status;
mod verify;

/// Takes a change from a new image tag in the dev registry to healthy production, in one audited flow.
#[derive(Parser, Debug)]
#[command(name = "tomoda-release", version, propagate_version = true, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options that every command takes.
#[derive(clap::Args, Debug, Clone)]
pub struct Global {
    /// How to print the result.
    #[arg(long, short, global = true, value_enum, default_value_t = OutputFormat::Text)]
    pub output: OutputFormat,
    /// The pipeline file; the only one in pipelines/ when not given.
    #[arg(long, short, global = true, env = "TOMODA_RELEASE_PIPELINE", value_name = "FILE")]
    pub pipeline: Option<std::path::PathBuf>,
    /// Never ask; implied without a terminal and in CI.
    #[arg(long, global = true)]
    pub no_input: bool,
}

impl Global {
    /// Whether somebody is there who could answer a question.
    fn may_ask(&self) -> bool {
        use std::io::IsTerminal;
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        !self.no_input && terminal && crate::io::credentials::environment("CI").is_none()
    }
}

/// How a result is printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// For programs: one JSON document on standard output.
    Json,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Move an environment to its newest candidate, verify it, record it.
    Bump(bump::Args),
    /// Say which tag would be chosen, and why not the others.
    Explain(explain::Args),
    /// Read and verify the ledger.
    Ledger(ledger::Args),
    /// Say which version the commits make.
    NextVersion(next_version::Args),
    /// Say everything that promote would do, with its hash; change nothing.
    Plan(plan::Args),
    /// The whole way from what dev proved to healthy prod; resumes an open release.
    Promote(promote::Args),
    /// Play the whole flow against a world on this computer.
    Rehearse(rehearse::Args),
    /// Edit image pins of a kustomization, keeping every other byte.
    SetImage(set_image::Args),
    /// Show each environment: newest, wanted, running, proved, open.
    Status(status::Args),
    /// Run an environment's gates now.
    Verify(verify::Args),
}

/// Runs the command line of this process and returns its exit code.
pub fn main() -> u8 {
    let words = crate::io::process::words();
    let cli = match plain_set_image(&words).map_or_else(|| Cli::try_parse_from(&words), Ok) {
        Ok(cli) => cli,
        Err(why) => return misread(&why, &words),
    };
    let out = Out::new(cli.global.output == OutputFormat::Json);
    match run(cli.command, &cli.global, &out) {
        Ok(()) => 0,
        Err(error) => {
            out.error(&error);
            error.exit_code()
        }
    }
}

/// `set-image PATH IMAGE…` without options, as CI runs it for each file: read without describing all other commands first,
/// which takes longer than the edit.
fn plain_set_image(words: &[OsString]) -> Option<Cli> {
    let [_, command, path, images @ ..] = words else { return None };
    let bare = |it: &OsString| it.to_str().filter(|it| !it.is_empty() && !it.starts_with('-')).map(str::to_owned);
    if command != "set-image" || images.is_empty() {
        return None;
    }
    let args = set_image::Args { path: bare(path)?.into(), images: images.iter().map(bare).collect::<Option<_>>()?, create: false };
    let global = Global { output: OutputFormat::Text, pipeline: None, no_input: false };
    Some(Cli { global, command: Command::SetImage(args) })
}

/// A command line that cannot be read. A program that asked for JSON gets it for this error, too.
fn misread(why: &clap::Error, words: &[OsString]) -> u8 {
    let arguments: Vec<_> = words.iter().map(|it| it.to_string_lossy()).collect();
    let json = arguments.iter().any(|it| matches!(it.as_ref(), "--output=json" | "-ojson" | "-o=json"))
        || arguments.windows(2).any(|it| matches!([it[0].as_ref(), it[1].as_ref()], ["--output" | "-o", "json"]));
    if why.use_stderr() && json {
        let text = why.render().to_string();
        // What follows is how to call it: of no use to a program.
        let said = text.split_once("\n\nUsage:").or_else(|| text.split_once("\n\nFor more")).map_or(&*text, |it| it.0);
        let message = said.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
        Out::new(true).json(&serde_json::json!({ "error": { "message": message, "hint": null, "exitCode": 2 } }));
    }
    // Help and version are no errors: clap prints them to standard output.
    why.print().ok();
    if why.use_stderr() { 2 } else { 0 }
}

fn run(command: Command, global: &Global, out: &Out) -> Result<()> {
    // `set-image` speaks to nobody. Everything else is built without a default TLS provider; ring is the one.
    if !matches!(command, Command::SetImage(_)) {
        crate::io::names::settle();
        rustls::crypto::ring::default_provider().install_default().ok();
    }
    match command {
        Command::Bump(args) => bump::run(args, global, out),
        Command::Explain(args) => explain::run(args, out),
        Command::Ledger(args) => ledger::run(args, global, out),
        Command::NextVersion(args) => next_version::run(args, out),
        Command::Plan(args) => plan::run(args, global, out),
        Command::Promote(args) => promote::run(args, global, out),
        Command::Rehearse(args) => rehearse::run(args, global, out),
        Command::SetImage(args) => set_image::run(args, out),
        Command::Status(args) => status::run(args, global, out),
        Command::Verify(args) => verify::run(args, global, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_way_reads_what_clap_reads() {
        for line in ["set-image . app:v1", "set-image k.yaml app=b/app:v1@sha256:1 *:v2 c", "set-image set-image help"] {
            let words: Vec<OsString> = std::iter::once("x").chain(line.split(' ')).map(OsString::from).collect();
            let plain = plain_set_image(&words).expect(line);
            let clap = Cli::try_parse_from(&words).expect(line);
            assert_eq!(format!("{:?}", plain.command), format!("{:?}", clap.command));
        }
    }

    #[test]
    fn all_else_is_left_to_clap() {
        for line in
            ["", "set-image", "set-image .", "set-image --help", "set-image . a:v1 --create", "set-image -- . a:v1", "-ojson set-image . a"]
        {
            let words: Vec<OsString> = std::iter::once("x").chain(line.split_whitespace()).map(OsString::from).collect();
            assert!(plain_set_image(&words).is_none(), "{line}");
        }
        assert!(plain_set_image(&["x", "set-image", ".", ""].map(OsString::from)).is_none());
    }
}
