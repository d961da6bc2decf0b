//! Why a connection could not be made or broke: read from the chain of causes that every client's errors carry.

use std::error::Error;
use std::{fmt, io};

use crate::error::Kind;

/// What was wrong with the way to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its certificate cannot be believed, for this reason.
    Certificate(String),
    /// It does not speak TLS.
    NoTls,
    /// Nobody listens there.
    Refused,
    /// Its name is unknown to the resolver, which says this.
    NoSuchName(String),
    /// No way leads there.
    NoRoute(String),
    /// Something else, in the words of the innermost cause.
    Other(String),
}

impl Cause {
    /// Looks through an error and everything behind it.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let (mut innermost, mut cause, mut resolving) = (String::new(), Some(error), false);
        while let Some(it) = cause {
            if let Some(found) = Self::known(it) {
                return found;
            }
            innermost = it.to_string();
            // hyper's resolver error has no type that can be named; these are its words.
            resolving |= innermost.starts_with("dns error") || innermost.starts_with("failed to lookup address");
            // An `io::Error` leaves out what it wraps when it is asked for its source.
            let wrapped = it.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            cause = wrapped.map(|it| it as &(dyn Error + 'static)).or_else(|| it.source());
        }
        innermost.truncate(innermost.trim_end_matches('.').len());
        if resolving { Self::NoSuchName(innermost) } else { Self::Other(innermost) }
    }

    fn known(it: &(dyn Error + 'static)) -> Option<Self> {
        match it.downcast_ref() {
            Some(rustls::Error::InvalidCertificate(reason)) => return Some(Self::Certificate(reason.to_string())),
            Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => return Some(Self::NoTls),
            _ => {}
        }
        let it = it.downcast_ref::<io::Error>()?;
        match it.kind() {
            io::ErrorKind::ConnectionRefused => Some(Self::Refused),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Self::NoRoute(it.to_string())),
            _ => None,
        }
    }

    /// The kind of failure that it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Certificate(_) | Self::NoTls => Kind::RemoteFinal,
            Self::Refused | Self::NoSuchName(_) | Self::NoRoute(_) => Kind::Unreachable,
            Self::Other(_) => Kind::Remote,
        }
    }
}

/// What is said after the server's name and a colon.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(why) => write!(f, "its certificate is not trusted ({why})"),
            Self::NoTls => f.write_str("it does not speak TLS; http:// may be meant"),
            Self::Refused => f.write_str("the connection is refused; nobody listens there"),
            Self::NoSuchName(why) => write!(f, "its name could not be resolved ({why})"),
            Self::NoRoute(why) | Self::Other(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_found_however_deep_it_lies() {
        let deep = |kind: io::ErrorKind| io::Error::other(crate::error::Error::remote("No.").because(io::Error::from(kind)));
        assert_eq!(Cause::of(&deep(io::ErrorKind::ConnectionRefused)), Cause::Refused);
        assert_eq!(Cause::of(&deep(io::ErrorKind::NetworkUnreachable)).kind(), Kind::Unreachable);
        assert_eq!(Cause::of(&deep(io::ErrorKind::ConnectionReset)).kind(), Kind::Remote);
        let certificate = io::Error::other(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer));
        assert_eq!(Cause::of(&io::Error::other(certificate)), Cause::Certificate("UnknownIssuer".into()));
        let resolver = crate::error::Error::remote("dns error").because(io::Error::other("failed to lookup address information: x"));
        assert_eq!(Cause::of(&resolver).kind(), Kind::Unreachable);
    }
}
