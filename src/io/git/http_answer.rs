//! What an http answer means when it is not the one git hoped for.

use reqwest::StatusCode;

use crate::error::Error;

use super::session::Failure;

/// The parts of an answer that decide what it means.
pub(super) struct Answer<'a> {
    /// The status.
    pub(super) status: StatusCode,
    /// The content type, without parameters.
    pub(super) content_type: &'a str,
    /// `Retry-After`, as sent.
    pub(super) retry_after: Option<&'a str>,
    /// The beginning of the body.
    pub(super) body: &'a str,
    /// Whether we sent credentials.
    pub(super) had_credentials: bool,
    /// Where it came from; holds no password.
    pub(super) address: &'a str,
}

/// The failure that a status other than 2xx stands for.
pub(super) fn refused(answer: &Answer<'_>) -> Failure {
    let Answer { status, address, .. } = answer;
    let said = said(answer);
    let (error, denied) = match status.as_u16() {
        401 if answer.had_credentials => (
            Error::remote_final(format!("{address} does not accept the token (401{said})."))
                .hint("Check that the token has not expired and belongs to this host."),
            true,
        ),
        401 => (
            Error::remote_final(format!("{address} asks for a token and none is configured (401{said})."))
                .hint("Give the pipeline a token for this repository."),
            true,
        ),
        403 if answer.retry_after.is_some() || said.contains("rate limit") => (busy(answer, &said), false),
        403 => (
            Error::remote_final(format!("{address} refuses the permission (403{said})."))
                .hint("Give the token write access to the repository's contents; a proxy can be the one who refuses, too."),
            true,
        ),
        404 | 410 => (
            Error::remote_final(format!("There is no repository at {address}, or the token may not see it ({}{said}).", status.as_u16()))
                .hint("Check the address, and that the token covers this repository."),
            false,
        ),
        407 => (
            Error::remote_final(format!("The proxy on the way to {address} asks for a password (407)."))
                .hint("Put user and password into HTTPS_PROXY."),
            true,
        ),
        413 => (Error::remote_final(format!("{address} refuses a push of this size (413{said}).")), true),
        300..=399 => (
            Error::remote_final(format!(
                "{address} redirects elsewhere ({}), and a token does not travel to another host.",
                status.as_u16()
            ))
            .hint("Write the repository's present address into the pipeline."),
            false,
        ),
        408 | 425 | 429 => (busy(answer, &said), false),
        500..=599 => (Error::remote(format!("{address} has a fault of its own ({}{said}).", status.as_u16())), false),
        other => (Error::remote_final(format!("{address} answers {other}, which git does not know{said}.")), false),
    };
    Failure { error, denied }
}

/// The failure of an answer that says 200 and is not git's.
pub(super) fn not_git(answer: &Answer<'_>, wanted: &str) -> Failure {
    let address = answer.address;
    let error = match answer.content_type {
        "text/html" | "application/xhtml+xml" => Error::remote_final(format!("{address} answers with a web page instead of git."))
            .hint("Check the address; a login page, a captive portal or a proxy on the way does this, too."),
        "text/plain" if wanted.ends_with("-advertisement") => {
            Error::remote_final(format!("{address} speaks only git's old file protocol over http, which cannot push."))
                .hint("Serve the repository with git http-backend or a forge.")
        }
        other => Error::remote_final(format!("{address} answers with “{}” instead of {wanted}.", clipped(other, 60)))
            .hint("Check that the address is a git repository."),
    };
    Failure { error, denied: false }
}

fn busy(answer: &Answer<'_>, said: &str) -> Error {
    let after = answer.retry_after.map(|it| format!("; it asks to come back after {}", clipped(it, 40))).unwrap_or_default();
    Error::remote(format!("{} is too busy for us ({}{said}){after}.", answer.address, answer.status.as_u16()))
}

/// The server's own words, where it sent words and not a page: `: the first lines`.
fn said(answer: &Answer<'_>) -> String {
    if answer.content_type.contains("html") {
        return ", with a web page".to_owned();
    }
    let line = answer.body.lines().map(str::trim).find(|it| !it.is_empty()).unwrap_or_default();
    if line.is_empty() { String::new() } else { format!(": {}", clipped(line, 300).trim_end_matches('.')) }
}

/// At most this many characters, none of them a control character.
pub(super) fn clipped(text: &str, limit: usize) -> String {
    text.chars().filter(|it| !it.is_control()).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn answer(status: u16) -> Answer<'static> {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            content_type: "text/plain",
            retry_after: None,
            body: "",
            had_credentials: true,
            address: "https://h/x.git",
        }
    }

    #[test]
    fn every_status_has_a_kind() {
        for (status, kind, denied) in [
            (301, Kind::RemoteFinal, false),
            (400, Kind::RemoteFinal, false),
            (401, Kind::RemoteFinal, true),
            (403, Kind::RemoteFinal, true),
            (404, Kind::RemoteFinal, false),
            (407, Kind::RemoteFinal, true),
            (413, Kind::RemoteFinal, true),
            (429, Kind::Remote, false),
            (500, Kind::Remote, false),
            (502, Kind::Remote, false),
            (503, Kind::Remote, false),
        ] {
            let failure = refused(&answer(status));
            assert_eq!((failure.error.kind(), failure.denied), (kind, denied), "{status}: {}", failure.error);
        }
    }

    #[test]
    fn a_forbidden_that_says_when_to_come_back_passes() {
        let limited = Answer { retry_after: Some("30"), ..answer(403) };
        assert_eq!(refused(&limited).error.kind(), Kind::Remote);
        let words = Answer { body: "You have exceeded a secondary rate limit.", ..answer(403) };
        assert_eq!(refused(&words).error.kind(), Kind::Remote);
    }

    #[test]
    fn the_servers_words_are_quoted_and_a_page_is_not() {
        let words = Answer { body: "\nremote: Permission denied to bot.\nmore", ..answer(403) };
        assert!(refused(&words).error.to_string().contains("remote: Permission denied to bot"));
        let page = Answer { body: "<html>secret</html>", content_type: "text/html", ..answer(502) };
        assert_eq!(refused(&page).error.to_string(), "https://h/x.git has a fault of its own (502, with a web page).");
    }
}
