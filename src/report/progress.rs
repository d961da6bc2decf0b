//! Progress: what the loop tells, as lines for a log or as a spinner on a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::{ImageRef, News, Outcome, StepKey};

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
        let says = |name: &str| crate::io::credentials::environment(name);
        let terminal = std::io::stderr().is_terminal() && says("CI").is_none() && says("TERM").is_none_or(|it| it != "dumb");
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
                let facts: Vec<_> = evidence.facts.iter().map(|(name, value)| format!("{name} {}", brief(value))).collect();
                self.line("✓", &format!("{gate}: {}", facts.join(", ")));
            }
        }
    }

    /// Ends the spinner.
    pub fn finish(&self) {
        self.spinner.finish_and_clear();
    }

    /// Says what is under way, where there is a spinner to say it.
    pub fn wait(&self, message: &str) {
        self.spinner.set_message(super::harmless(message.lines().next().unwrap_or_default()).into_owned());
    }

    /// Says something that is no news of the run.
    pub fn note(&self, text: &str) {
        self.line("…", text);
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
        if self.terminal { self.spinner.suspend(|| super::say(&line)) } else { super::say(&line) }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// Evidence as a person can take it in: images by their tag, hashes by their beginning. The ledger has all of it.
pub(super) fn brief(value: &str) -> String {
    value.split(' ').map(brief_word).collect::<Vec<_>>().join(" ")
}

fn brief_word(word: &str) -> String {
    let (bare, comma) = word.strip_suffix(',').map_or((word, ""), |it| (it, ","));
    let short = match ImageRef::parse(bare) {
        Ok(image) if bare.contains('/') => {
            let tag = image.tag.map(|it| it.to_string()).or_else(|| image.digest.map(|it| it.short().to_owned()));
            tag.unwrap_or_else(|| bare.to_owned())
        }
        _ if bare.len() >= 40 && bare.bytes().all(|it| it.is_ascii_hexdigit()) => bare[..7].to_owned(),
        _ => bare.to_owned(),
    };
    format!("{short}{comma}")
}

fn doing(key: StepKey) -> &'static str {
    match key {
        StepKey::WriteOverlay => "writing the overlay",
        StepKey::CutTag => "cutting the tag",
        StepKey::AdvanceBranch => "moving the branch to the release commit",
        StepKey::PublishPage => "publishing the release page",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_shortened_to_what_a_person_compares() {
        let image = format!("runs eu.pkg.dev/p/r/backend:v1.2.3@sha256:{}, all replicas updated and available", "ab".repeat(32));
        assert_eq!(brief(&image), "runs v1.2.3, all replicas updated and available");
        assert_eq!(brief(&"0123456789".repeat(4)), "0123456");
        assert_eq!(brief("Synced"), "Synced");
        assert_eq!(brief("v1.2.3"), "v1.2.3");
    }
}
