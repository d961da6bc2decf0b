//! Everything a person reads: results, progress, tables, errors; and the JSON that programs read.
//!
//! Here: the only place that prints.
//! Never here: deciding anything.
//! Start reading at [`Out`]. Used by `cli`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this folder is the program's only voice")]

pub mod ending;
pub mod ledger;
pub mod plan;
mod progress;
pub mod status;

pub use progress::Progress;

use std::io::{IsTerminal, Write};

use crate::error::Error;

/// Where results go: standard output, as text or as one JSON document. Everything else goes to standard error.
#[derive(Clone, Debug)]
pub struct Out {
    json: bool,
    colour: bool,
}

impl Out {
    /// Text, or JSON. Colour only on a terminal, and never under `NO_COLOR`.
    pub fn new(json: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && crate::io::credentials::environment("NO_COLOR").is_none();
        Self { json, colour }
    }

    /// Whether programs read the result.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether colour is welcome.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// Prints text for people; nothing when programs read the result.
    pub fn text(&self, text: impl std::fmt::Display) {
        if !self.json {
            print_or_end(&format!("{text}\n"));
        }
    }

    /// Prints the result for programs; nothing when people read it.
    pub fn json(&self, value: &serde_json::Value) {
        if self.json {
            print_or_end(&format!("{value:#}\n"));
        }
    }

    /// Prints one line for programs, whatever the format of results.
    pub fn json_line(&self, value: &serde_json::Value) {
        print_or_end(&format!("{value}\n"));
    }

    /// Says something that is not the result, to standard error.
    pub fn note(&self, text: impl std::fmt::Display) {
        eprintln!("{text}");
    }

    /// Prints an error with its causes and what to do about it, to standard error.
    pub fn error(&self, error: &Error) {
        if self.json {
            self.json(
                &serde_json::json!({ "error": { "message": error.chain(), "hint": error.hint_text(), "exitCode": error.exit_code() } }),
            );
        }
        eprintln!("error: {}", error.chain());
        if let Some(hint) = error.hint_text() {
            eprintln!("  hint: {hint}");
        }
    }
}

/// A reader that went away (`| head`) is not a failure.
fn print_or_end(text: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).ok();
}
