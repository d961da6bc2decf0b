//! Everything a person reads: results, progress, tables, errors; and the JSON that programs read.
//!
//! Here: the only place that prints.
//! Never here: deciding anything.
//! Start reading at [`Out`]. Used by `cli`.

pub mod ending;
pub mod ledger;
pub mod plan;
mod progress;
mod question;
pub mod status;

pub use progress::Progress;
pub use question::confirm;

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;

/// Where results go: standard output, as text or as one JSON document. Everything else goes to standard error.
#[derive(Clone, Debug)]
pub struct Out {
    json: bool,
    colour: bool,
    /// Whether the one document was printed: an error after it goes to standard error only.
    printed: Arc<AtomicBool>,
}

impl Out {
    /// Text, or JSON. Colour only on a terminal, and never under `NO_COLOR`.
    pub fn new(json: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && crate::io::credentials::environment("NO_COLOR").is_none();
        Self { json, colour, printed: Arc::default() }
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
            print_or_end(&format!("{}\n", harmless(&text.to_string())));
        }
    }

    /// As [`Out::text`], for text that has colours of our own: what others wrote in it has to be harmless already.
    fn painted(&self, text: &str) {
        if !self.json {
            print_or_end(&format!("{text}\n"));
        }
    }

    /// Prints the result for programs, once; nothing when people read it.
    pub fn json(&self, value: &serde_json::Value) {
        if self.json && !self.printed.swap(true, Ordering::Relaxed) {
            print_or_end(&format!("{value:#}\n"));
        }
    }

    /// Prints one line for programs, whatever the format of results.
    pub fn json_line(&self, value: &serde_json::Value) {
        self.printed.store(true, Ordering::Relaxed);
        print_or_end(&format!("{value}\n"));
    }

    /// Says something that is not the result, to standard error.
    pub fn note(&self, text: impl std::fmt::Display) {
        say(&text);
    }

    /// Prints an error with its causes and what to do about it, to standard error.
    pub fn error(&self, error: &Error) {
        let (message, hint) = (error.chain(), error.hint_text());
        self.json(&serde_json::json!({ "error": { "message": message, "hint": hint, "exitCode": error.exit_code() } }));
        say(&format_args!("error: {message}"));
        if let Some(hint) = hint {
            say(&format_args!("  hint: {hint}"));
        }
    }
}

/// A line on standard error. One that nobody can read (`2>&-`) is not a failure either.
fn say(text: &dyn std::fmt::Display) {
    writeln!(std::io::stderr(), "{}", harmless(&text.to_string())).ok();
}

/// Text without anything a terminal would obey. Commits, tags and files are written by others: none of them may hide a line of a plan.
fn harmless(text: &str) -> Cow<'_, str> {
    let obeyed =
        |it: char| (it.is_control() && !matches!(it, '\n' | '\t')) || matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(obeyed) { text.replace(obeyed, "\u{fffd}").into() } else { text.into() }
}

/// A reader that went away (`| head`) is not a failure.
fn print_or_end(text: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_paint_or_move_the_cursor() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\nc\u{202e}\td"), "a\u{fffd}[2Jb\u{fffd}\nc\u{fffd}\td");
        assert!(matches!(harmless("one\n\ttwo ünïcode ☃"), Cow::Borrowed(_)));
    }
}
