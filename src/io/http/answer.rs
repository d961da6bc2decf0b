//! What came back: a status, headers and a body of bounded size.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Url, header::HeaderMap};

use super::shown;
use crate::error::{Error, Kind, Result};

/// An answer with a status, whatever the status.
#[derive(Clone, Debug)]
pub struct Answer {
    url: Url,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// How much of a body is quoted in an error.
const EXCERPT: usize = 300;

impl Answer {
    pub(super) fn new(url: Url, status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self { url, status, headers, body }
    }

    /// The address that was asked.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header, where it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All values of a header that are text.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|it| it.to_str().ok())
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|why| {
            Error::remote(format!("{} answered with something that is not the expected JSON.", shown(&self.url))).because(why)
        })
    }

    /// The start of the body on one line, for an error. Pages of HTML say nothing to a person and are left out.
    pub fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(EXCERPT * 4)]);
        if text.trim_start().starts_with('<') {
            return String::new();
        }
        let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).collect();
        match line.char_indices().nth(EXCERPT) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }

    /// The error that this status is. The sentence names the host, what was asked, and what the other side said.
    pub fn refusal(&self) -> Error {
        let kind = if self.may_pass() { Kind::Remote } else { Kind::RemoteFinal };
        let said = Some(self.excerpt()).filter(|it| !it.is_empty()).map_or(String::new(), |it| format!(": {it}"));
        let wait = self.header("retry-after").map_or(String::new(), |it| format!(" and asks to come back after {}", it.escape_debug()));
        Error::new(kind, format!("{} answered with status {}{wait}{said}", shown(&self.url), self.status))
    }

    /// Whether the same request may succeed later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504)
    }

    /// How long the other side asks to wait: in seconds, or until a date.
    pub(super) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Duration::try_from(date.duration_since(now)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, header: (&'static str, &'static str), body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(header.0, header.1.parse().unwrap());
        Answer::new(Url::parse("https://registry.example/v2/?token=x").unwrap(), status, headers, body.into())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2015-10-21T07:27:50Z".parse().unwrap();
        let asked = |text| answer(429, ("retry-after", text), "").retry_after(now);
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:27:00 GMT"), None);
        assert_eq!(asked("soon"), None);
    }

    #[test]
    fn a_refusal_says_who_and_what_and_hides_queries() {
        let said = answer(403, ("x", "y"), "{\"errors\":\n  [1]}").refusal();
        assert_eq!(said.to_string(), "https://registry.example/v2/ answered with status 403: {\"errors\": [1]}");
        assert_eq!(said.kind(), Kind::RemoteFinal);
        let html = answer(502, ("retry-after", "7"), "<html><body>no</body></html>").refusal();
        assert_eq!(html.to_string(), "https://registry.example/v2/ answered with status 502 and asks to come back after 7");
        assert_eq!(html.kind(), Kind::Remote);
        assert!(answer(500, ("x", "y"), &"é".repeat(5000)).excerpt().chars().count() <= EXCERPT + 1);
    }
}
