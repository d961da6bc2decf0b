//! Faults to order: which request, which time, and what happens to it.
//!
//! Written as words, so that a command line can hold one:
//! `registry GET /v2/*/tags/list nth=2 status=503`. After the server, method and path (`*` stands for anything) come
//! `nth=N` (from the Nth such request on, 1 when absent), `times=N` (how often, 1 when absent) and one effect:
//! `status=CODE` (with `retry-after=TEXT`, `html`), `delay=300ms`, `late=300ms`, `cut=BYTES`, `reset=before|after`,
//! `silent=before|after`, `redirect=URL`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Entry;
use crate::error::{Error, Result};

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// This status instead of an answer; the request has no effect.
    Status {
        /// The status.
        code: u16,
        /// The value of `Retry-After`.
        retry_after: Option<String>,
        /// Whether the body is a proxy's page instead of JSON.
        html: bool,
    },
    /// The request waits before the server does anything.
    Delay(Duration),
    /// The answer waits after the server did everything.
    Late(Duration),
    /// The answer ends after this many bytes of its body.
    Cut(usize),
    /// The connection is reset before the server does anything.
    ResetBefore,
    /// The connection is reset after the server did everything: the answer is lost, the effect is not.
    ResetAfter,
    /// Nothing happens and nothing is ever answered.
    SilentBefore,
    /// The server does everything and never answers.
    SilentAfter,
    /// The client is sent elsewhere.
    Redirect(String),
}

/// One ordered fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The server's name, or `*`.
    pub server: String,
    /// The method, or `*`.
    pub method: String,
    /// The path; `*` stands for any text.
    pub path: String,
    /// From which matching request on, counted from 1.
    pub nth: usize,
    /// For how many matching requests.
    pub times: usize,
    /// What happens.
    pub effect: Effect,
}

impl Fault {
    /// The next request of this kind gets this effect, once.
    pub fn once(server: &str, method: &str, path: &str, effect: Effect) -> Self {
        Self { server: server.into(), method: method.into(), path: path.into(), nth: 1, times: 1, effect }
    }

    /// Reads a fault as the command line writes it.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::usage(format!("The fault {text:?} {what}."))
                .hint("Write it like this: --fault \"registry GET /v2/*/tags/list nth=2 status=503\".")
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let [server, method, path, rest @ ..] = words.as_slice() else {
            return Err(wrong("does not begin with a server, a method and a path"));
        };
        let (mut nth, mut times, mut retry_after, mut html, mut effect) = (1, 1, None, false, None);
        for word in rest {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "nth" => nth = value.parse().map_err(|_| wrong("has an nth that is not a number"))?,
                "times" => times = value.parse().map_err(|_| wrong("has a times that is not a number"))?,
                "retry-after" => retry_after = Some(value.to_owned()),
                "html" => html = true,
                _ => effect = Some(effect_of(key, value).ok_or_else(|| wrong(&format!("has a word it should not have: {word}")))?),
            }
        }
        let effect = match effect.ok_or_else(|| wrong("names no effect"))? {
            Effect::Status { code, .. } => Effect::Status { code, retry_after, html },
            other => other,
        };
        Ok(Self { server: (*server).into(), method: (*method).into(), path: (*path).into(), nth, times, effect })
    }

    fn matches(&self, entry: &Entry) -> bool {
        glob(&self.server, entry.server) && glob(&self.method, &entry.method) && glob(&self.path, &entry.path)
    }
}

fn effect_of(key: &str, value: &str) -> Option<Effect> {
    match key {
        "status" => {
            let code = value.parse().ok().filter(|it| (100..600).contains(it))?;
            Some(Effect::Status { code, retry_after: None, html: false })
        }
        "delay" => time(value).map(Effect::Delay),
        "late" => time(value).map(Effect::Late),
        "cut" => value.parse().ok().map(Effect::Cut),
        "reset" if value == "before" => Some(Effect::ResetBefore),
        "reset" if value == "after" => Some(Effect::ResetAfter),
        "silent" if value == "before" => Some(Effect::SilentBefore),
        "silent" if value == "after" => Some(Effect::SilentAfter),
        "redirect" => Some(Effect::Redirect(value.to_owned())),
        _ => None,
    }
}

fn time(text: &str) -> Option<Duration> {
    text.parse::<jiff::SignedDuration>().ok()?.try_into().ok()
}

/// All faults of one world. Cheap to clone; all clones are one list.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<(Fault, usize)>>>);

impl Faults {
    /// Orders one more.
    pub fn order(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((fault, 0));
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Counts this request against every fault it matches; the first whose turn it is has it.
    pub(super) fn fire(&self, entry: &Entry) -> Option<Effect> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fired = None;
        for (fault, seen) in faults.iter_mut().filter(|(fault, _)| fault.matches(entry)) {
            *seen += 1;
            if fired.is_none() && (fault.nth..fault.nth.saturating_add(fault.times)).contains(seen) {
                fired = Some(fault.effect.clone());
            }
        }
        fired
    }
}

/// Whether a text matches a pattern in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text
            .strip_prefix(head)
            .is_some_and(|rest| (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| glob(tail, &rest[at..]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_command_line_writes() {
        let fault = Fault::parse("registry GET /v2/*/tags/list nth=2 times=3 status=429 retry-after=1").unwrap();
        let effect = Effect::Status { code: 429, retry_after: Some("1".into()), html: false };
        assert_eq!((fault.nth, fault.times, fault.effect), (2, 3, effect));
        assert_eq!(Fault::parse("git POST * delay=300ms").unwrap().effect, Effect::Delay(Duration::from_millis(300)));
        for wrong in ["", "git POST", "git POST *", "git POST * status=900", "git POST * sometimes", "git POST * nth=x status=500"] {
            assert_eq!(Fault::parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn stars_stand_for_any_text() {
        assert!(glob("*", ""));
        assert!(glob("/v2/*/tags/list", "/v2/a/b/tags/list"));
        assert!(!glob("/v2/*/tags/list", "/v2/a/b/tags"));
        assert!(glob("*.git/git-*-pack", "/app.git/git-receive-pack"));
    }
}
