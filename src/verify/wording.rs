//! Wording: durations and foreign messages as the gates put them into their sentences.

use std::time::Duration;

use crate::model::{Digest, Tag};

/// The longest message of somebody else that a sentence quotes.
const QUOTE: usize = 600;

/// A duration as a person says it.
pub(super) fn spoken(it: Duration) -> String {
    match it.as_secs() {
        seconds if seconds >= 3600 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds >= 60 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// A message of somebody else, on one line, bounded, with a full stop.
pub(super) fn quoted(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let length = line.chars().count();
    if length > QUOTE {
        // Programs wrap a cause in what they were doing: its end says what is wrong.
        let head: String = line.chars().take(QUOTE / 3).collect();
        let tail: String = line.chars().skip(length - (QUOTE - QUOTE / 3)).collect();
        return format!("{head} … {tail}");
    }
    match line.as_str() {
        "" => "it gives no message.".to_owned(),
        _ if line.ends_with(['.', '!', '?']) => line,
        _ => format!("{line}."),
    }
}

/// An image as people tell two of one repository apart.
pub(super) fn image(tag: Option<&Tag>, digest: Option<&Digest>) -> String {
    let parts = [tag.map(ToString::to_string), digest.map(|it| it.short().to_owned())];
    parts.into_iter().flatten().collect::<Vec<_>>().join("@")
}

/// Whether a message tells of a fault that passes by itself (a server that is away or slow), rather than of something wrong
/// with our commit.
pub(super) fn passing(message: &str) -> bool {
    const PASSING: [&str; 20] = [
        "code = unavailable",
        "code = deadlineexceeded",
        "code = canceled",
        "code = resourceexhausted",
        "context deadline exceeded",
        "context canceled",
        "connection refused",
        "connection reset",
        "i/o timeout",
        "no such host",
        "tls handshake timeout",
        "server is currently unable to handle the request",
        "unexpected eof",
        "too many requests",
        "etcdserver: request timed out",
        "etcdserver: leader changed",
        // A webhook that is away while it restarts; one that says no words it otherwise.
        "failed calling webhook",
        "unable to return a response in the time allotted",
        "client connection lost",
        "the object has been modified",
    ];
    let message = message.to_lowercase();
    PASSING.iter().any(|it| message.contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_one_bounded_line() {
        assert_eq!(quoted("a\n  b"), "a b.");
        assert_eq!(quoted(""), "it gives no message.");
        let long = quoted(&format!("{} the cause", "ö".repeat(5000)));
        assert!(long.contains(" … ") && long.ends_with("the cause") && long.chars().count() < 610, "{long}");
    }

    #[test]
    fn a_server_that_is_away_is_not_our_fault() {
        assert!(passing("rpc error: code = Unavailable desc = connection error"));
        assert!(passing("failed to list refs: dial tcp 10.0.0.1:443: i/o timeout"));
        assert!(!passing("`kustomize build` failed exit status 1: Error: accumulating resources"));
        assert!(!passing("Deployment.apps \"a\" is invalid: spec.selector: field is immutable"));
    }

    #[test]
    fn durations_are_said_as_people_say_them() {
        let said = |it| spoken(Duration::from_secs(it));
        assert_eq!((said(45), said(600), said(90), said(7200)), ("45 s".into(), "10 min".into(), "90 s".into(), "2 h".into()));
    }
}
