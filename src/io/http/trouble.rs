//! What never became an answer: which part of the way failed, said in a sentence.

use std::{error::Error as _, io, time::Duration};

use reqwest::Url;

use crate::error::{Error, Kind};

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection, or the answer on it, broke.
    Wire(reqwest::Error),
    /// Nothing came within the time of one attempt.
    Silent(Duration),
    /// The answer is larger than this.
    TooLarge(usize),
    /// It points to somewhere we do not go.
    Redirected(String),
    /// The request could not be written.
    Ours(Error),
}

impl Trouble {
    /// Whether the same request may succeed later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Wire(why) => !why.is_builder() && certificate(why).is_none(),
            Self::Silent(_) => true,
            Self::TooLarge(_) | Self::Redirected(_) | Self::Ours(_) => false,
        }
    }

    /// The error that is told: it names the host and the cause.
    pub(super) fn told(self, url: &Url) -> Error {
        let host = host(url);
        let kind = if self.may_pass() { Kind::Remote } else { Kind::RemoteFinal };
        match self {
            Self::Wire(why) => wire(why, &host, kind),
            Self::Silent(limit) => Error::new(kind, format!("{host} did not answer within {} s.", limit.as_secs_f32().ceil())),
            Self::TooLarge(limit) => Error::new(kind, format!("The answer of {host} is larger than {limit} bytes; it was not read.")),
            Self::Redirected(to) => Error::new(kind, format!("{host} redirects to {to}, where these credentials must not go."))
                .hint("Is the address right? It has to be the one that answers itself."),
            Self::Ours(why) => why,
        }
    }
}

fn wire(why: reqwest::Error, host: &str, kind: Kind) -> Error {
    // The address may carry a token in its query; ours is shown without it.
    let why = why.without_url();
    if let Some(reason) = certificate(&why) {
        return Error::new(kind, format!("The certificate of {host} is not trusted: {reason}"))
            .hint("If a private authority signed it, name its certificate with SSL_CERT_FILE.");
    }
    match cause(&why) {
        _ if why.is_timeout() => Error::new(kind, format!("{host} did not answer in time.")),
        Some(io::ErrorKind::ConnectionRefused) => Error::new(kind, format!("{host} refuses connections.")),
        _ if chain(&why).contains("dns error") => Error::new(kind, format!("The name of {host} could not be resolved.")),
        _ if chain(&why).contains("InvalidContentType") => Error::new(kind, format!("{host} does not speak TLS; http:// may be meant.")),
        _ if why.is_connect() => Error::new(kind, format!("No connection to {host} could be made.")).because(root(&why)),
        _ => Error::new(kind, format!("The connection to {host} broke before the answer was complete.")).because(root(&why)),
    }
}

/// The innermost cause; what lies between only says “error” in other words.
fn root(why: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = why;
    while let Some(it) = innermost.source() {
        innermost = it;
    }
    innermost.to_string()
}

/// What is wrong with the other side's certificate, if that is the trouble.
fn certificate(why: &reqwest::Error) -> Option<String> {
    let mut cause = why.source();
    while let Some(it) = cause {
        if let Some(rustls::Error::InvalidCertificate(reason)) = it.downcast_ref() {
            return Some(reason.to_string());
        }
        // An `io::Error` leaves out what it wraps when it is asked for its source.
        let wrapped = it.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = wrapped.map(|it| it as &(dyn std::error::Error + 'static)).or_else(|| it.source());
    }
    None
}

/// The operating system's word for it, if there is one.
fn cause(why: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut cause = why.source();
    while let Some(it) = cause {
        if let Some(io) = it.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = it.source();
    }
    None
}

fn chain(why: &reqwest::Error) -> String {
    let mut text = why.to_string();
    let mut cause = why.source();
    while let Some(it) = cause {
        text = format!("{text}: {it}");
        cause = it.source();
    }
    text
}

/// Host and port of an address.
fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or("the address");
    url.port().map_or(name.to_owned(), |port| format!("{name}:{port}"))
}

/// An address as it may be shown: without credentials, query and fragment.
pub fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), host(url), url.path())
}
