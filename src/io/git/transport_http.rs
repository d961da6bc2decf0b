//! Git's smart protocol over http and https, with reqwest and rustls.

use std::io::{self, Read, Write};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use reqwest::blocking::Response;
use reqwest::header;
use url::Url;

use crate::error::{Error, Kind};
use crate::io::http::Cause;

use super::http_answer::{Answer, not_git, refused};
use super::session::{Failure, Session};

/// How many redirects within one host are followed.
const MOST_REDIRECTS: usize = 5;
/// How much of a refusal is read for its words.
const REFUSAL_BYTES: u64 = 4096;
/// How much of an unread answer is worth reading to keep its connection.
const REST_BYTES: usize = 64 * 1024;
/// How long that may take.
const REST_TIME: Duration = Duration::from_millis(500);

/// The http transport.
pub(super) struct Http {
    /// The conversation it serves.
    pub(super) session: Arc<Session>,
}

impl SmartSubtransport for Http {
    fn action(&self, url: &str, action: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let (service, ask) = match action {
            Service::UploadPackLs => ("git-upload-pack", true),
            Service::UploadPack => ("git-upload-pack", false),
            Service::ReceivePackLs => ("git-receive-pack", true),
            Service::ReceivePack => ("git-receive-pack", false),
        };
        let moved = self.session.moved.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let base = moved.unwrap_or_else(|| url.trim_end_matches('/').to_owned());
        Ok(Box::new(Exchange { session: Arc::clone(&self.session), base, service, ask, body: Vec::new(), answer: None }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// One request and its answer. The request goes out when libgit2 begins to read.
struct Exchange {
    session: Arc<Session>,
    base: String,
    service: &'static str,
    /// Whether this asks for the refs; otherwise it sends a body.
    ask: bool,
    body: Vec<u8>,
    answer: Option<Response>,
}

impl Write for Exchange {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.body.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Exchange {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.session.time_left().is_none() {
            return Err(self.session.fail(self.session.took_too_long(), false));
        }
        let answer = match self.answer.take() {
            Some(answer) => answer,
            None => self.exchange().map_err(|it| self.session.fail(it.error, it.denied))?,
        };
        let answer = self.answer.insert(answer);
        let count = answer.read(into).map_err(|why| {
            let error = Error::remote(format!("The answer of {} broke off.", self.base)).because(why);
            self.session.fail(error, false)
        })?;
        self.session.receive(count).map_err(|error| self.session.fail(error, false))?;
        Ok(count)
    }
}

impl Drop for Exchange {
    /// libgit2 stops reading at the last packet, in front of the end of the body; a connection is kept only when that was read.
    fn drop(&mut self) {
        let Some(mut answer) = self.answer.take().filter(|_| !self.session.has_failed()) else { return };
        let (began, mut left, mut piece) = (Instant::now(), REST_BYTES, [0; 8192]);
        while left > 0 && began.elapsed() < REST_TIME {
            match answer.read(&mut piece) {
                Ok(count @ 1..) => left = left.saturating_sub(count),
                _ => return,
            }
        }
    }
}

impl Exchange {
    fn exchange(&mut self) -> Result<Response, Failure> {
        let (answer, wanted) = if self.ask {
            (self.ask_for_refs()?, format!("application/x-{}-advertisement", self.service))
        } else {
            (self.post()?, format!("application/x-{}-result", self.service))
        };
        let content_type = content_type(&answer);
        if answer.status().is_success() && content_type == wanted {
            return Ok(answer);
        }
        Err(self.explain(answer, &content_type, &wanted))
    }

    fn ask_for_refs(&mut self) -> Result<Response, Failure> {
        let mut url = format!("{}/info/refs?service={}", self.base, self.service);
        for _ in 0..=MOST_REDIRECTS {
            let request = self.session.network.client().map_err(definite)?.get(&url).header(header::PRAGMA, "no-cache");
            let answer = self.send(request, &url)?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let Some(next) = self.same_host(&url, &answer) else { return Ok(answer) };
            // The pushes and fetches that follow go to the new place directly.
            if let Some((base, _)) = next.split_once("/info/refs") {
                *self.session.moved.lock().unwrap_or_else(PoisonError::into_inner) = Some(base.to_owned());
                self.base = base.to_owned();
            }
            url = next;
        }
        Err(definite(Error::remote_final(format!("{} redirects in a circle.", self.base))))
    }

    fn post(&mut self) -> Result<Response, Failure> {
        let url = format!("{}/{}", self.base, self.service);
        let request = self.session.network.client().map_err(definite)?;
        let request = request
            .post(&url)
            .header(header::CONTENT_TYPE, format!("application/x-{}-request", self.service))
            .header(header::ACCEPT, format!("application/x-{}-result", self.service))
            .body(std::mem::take(&mut self.body));
        self.send(request, &url)
    }

    fn send(&self, mut request: reqwest::blocking::RequestBuilder, url: &str) -> Result<Response, Failure> {
        if let Some(value) = &self.session.authorization
            && same_origin(url, &self.session.address)
        {
            let mut value = header::HeaderValue::from_str(value.expose())
                .map_err(|_| definite(Error::config("The git token holds characters that cannot be sent.")))?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        request.send().map_err(|why| self.unreachable(why))
    }

    /// Where an answer redirects to, if that is the same scheme, host and port.
    fn same_host(&self, from: &str, answer: &Response) -> Option<String> {
        let place = answer.headers().get(header::LOCATION)?.to_str().ok()?;
        let next = Url::parse(from).ok()?.join(place).ok()?;
        same_origin(next.as_str(), from).then(|| next.to_string())
    }

    fn unreachable(&self, why: reqwest::Error) -> Failure {
        let limits = self.session.network.limits;
        let address = &self.base;
        let cause = Cause::of(&why);
        let error = if why.is_timeout() {
            let (kind, limit) = if why.is_connect() { (Kind::Unreachable, limits.connect) } else { (Kind::Remote, limits.idle) };
            Error::new(kind, format!("{address} did not answer within {} s.", limit.as_secs_f32()))
        } else if let Cause::Certificate(reason) = &cause {
            Error::new(cause.kind(), format!("The certificate of {address} is not trusted: {reason}."))
                .hint("Name the file with your own certificate authority in GIT_SSL_CAINFO.")
        } else if why.is_connect() {
            Error::new(cause.kind(), format!("{address} cannot be reached: {cause}."))
        } else {
            Error::new(cause.kind(), format!("The connection to {address} broke: {cause}."))
        };
        Failure { error, denied: false }
    }

    fn explain(&self, answer: Response, content_type: &str, wanted: &str) -> Failure {
        let status = answer.status();
        let retry_after = answer.headers().get(header::RETRY_AFTER).and_then(|it| it.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        // What cannot be read is not quoted.
        let _ = answer.take(REFUSAL_BYTES).read_to_end(&mut body);
        let body = String::from_utf8_lossy(&body);
        let answer = Answer {
            status,
            content_type,
            retry_after: retry_after.as_deref(),
            body: &body,
            had_credentials: self.session.authorization.is_some(),
            address: &self.base,
        };
        if status.is_success() { not_git(&answer, wanted) } else { refused(&answer) }
    }
}

fn definite(error: Error) -> Failure {
    Failure { error, denied: false }
}

fn content_type(answer: &Response) -> String {
    let value = answer.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether two addresses share scheme, host and port.
fn same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin() == other.origin(),
        _ => false,
    }
}
