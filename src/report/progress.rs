//! Progress: what the loop tells, as lines for a log or as a spinner on a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::{News, Outcome, StepKey};

/// Tells a person what happens while it happens, on standard error.
#[derive(Debug)]
pub struct Progress {
    /// The spinner with what is waited for; hidden where standard error is not a terminal.
    spinner: ProgressBar,
    terminal: bool,
}

impl Progress {
    /// A spinner on a terminal, plain lines elsewhere.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal() && crate::io::credentials::environment("CI").is_none();
        let spinner =
            ProgressBar::with_draw_target(None, if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        spinner.set_style(ProgressStyle::with_template("  {spinner} {wide_msg} {elapsed}").expect("the template is fixed"));
        if terminal {
            spinner.enable_steady_tick(Duration::from_millis(120));
        }
        Self { spinner, terminal }
    }

    /// Tells one piece of news.
    pub fn tell(&self, news: &News) {
        match news {
            News::Opened { run, plan } => {
                self.line("▶", &format!("{run}"));
                for line in super::plan::lines(plan) {
                    self.line(" ", &line);
                }
            }
            News::Resumed { run, .. } => self.line("▶", &format!("{run} was left open; going on with it")),
            News::Acting(key) => self.wait(doing(*key)),
            News::Settled(key, outcome) => self.settled(*key, outcome),
            News::Waiting { what, why } => {
                self.wait(&format!("{what}: {why}"));
                if !self.terminal {
                    self.line("…", &format!("{what}: {why}"));
                }
            }
            News::Passed { gate, evidence } => {
                let facts: Vec<_> = evidence.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
                self.line("✓", &format!("{gate}: {}", facts.join(", ")));
            }
        }
    }

    /// Ends the spinner.
    pub fn finish(&self) {
        self.spinner.finish_and_clear();
    }

    fn wait(&self, message: &str) {
        self.spinner.set_message(message.lines().next().unwrap_or_default().to_owned());
    }

    fn settled(&self, key: StepKey, outcome: &Outcome) {
        match outcome {
            Outcome::Landed { object, reference, adopted } => {
                let object = object.as_ref().map_or(String::new(), |it| format!(" {}", it.short()));
                let found = if *adopted { " (found there)" } else { "" };
                self.line("✓", &format!("{key}:{object} {reference}{found}"));
            }
            Outcome::Refused { why } => self.line("✗", &format!("{key}: {why}")),
        }
    }

    fn line(&self, mark: &str, text: &str) {
        let line = format!("{mark} {text}");
        if self.terminal { self.spinner.suspend(|| eprintln!("{line}")) } else { eprintln!("{line}") }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

fn doing(key: StepKey) -> &'static str {
    match key {
        StepKey::WriteOverlay => "writing the overlay",
        StepKey::CutTag => "cutting the tag",
        StepKey::PublishPage => "publishing the release page",
    }
}
