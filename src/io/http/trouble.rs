//! What never became an answer: which part of the way failed, said in a sentence.

use std::time::Duration;

use reqwest::Url;

use super::Cause;
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
    /// The kind of failure that it is; it tells whether the same request may succeed later.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Wire(why) if why.is_builder() => Kind::RemoteFinal,
            // A packet that nobody answers is dropped by a wall, or the machine is not there.
            Self::Wire(why) if why.is_timeout() && why.is_connect() => Kind::Unreachable,
            Self::Wire(why) if why.is_timeout() => Kind::Remote,
            Self::Wire(why) => Cause::of(why).kind(),
            Self::Silent(_) => Kind::Remote,
            Self::TooLarge(_) | Self::Redirected(_) | Self::Ours(_) => Kind::RemoteFinal,
        }
    }

    /// The error that is told: it names the host and the cause.
    pub(super) fn told(self, url: &Url) -> Error {
        let (kind, host) = (self.kind(), host(url));
        match self {
            Self::Wire(why) => wire(&why.without_url(), &host, kind),
            Self::Silent(limit) => Error::new(kind, format!("{host} did not answer within {} s.", limit.as_secs_f32().ceil())),
            Self::TooLarge(limit) => Error::new(kind, format!("The answer of {host} is larger than {limit} bytes; it was not read.")),
            Self::Redirected(to) => Error::new(kind, format!("{host} redirects to {to}, where these credentials must not go."))
                .hint("Is the address right? It has to be the one that answers itself."),
            Self::Ours(why) => why,
        }
    }
}

/// The address may carry a token in its query; `why` is without it.
fn wire(why: &reqwest::Error, host: &str, kind: Kind) -> Error {
    if why.is_timeout() {
        return Error::new(kind, format!("{host} did not answer in time."));
    }
    match Cause::of(why) {
        Cause::Certificate(reason) => Error::new(kind, format!("The certificate of {host} is not trusted: {reason}."))
            .hint("If a private authority signed it, name its certificate with SSL_CERT_FILE."),
        Cause::Refused => Error::new(kind, format!("{host} refuses connections.")),
        Cause::NoSuchName(reason) => Error::new(kind, format!("The name of {host} could not be resolved: {reason}.")),
        Cause::NoTls => Error::new(kind, format!("{host} does not speak TLS; http:// may be meant.")),
        cause if why.is_connect() => Error::new(kind, format!("No connection to {host} could be made: {cause}.")),
        cause => Error::new(kind, format!("The connection to {host} broke before the answer was complete: {cause}.")),
    }
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
