//! One HTTP client for the APIs of the outside: time limits, size limits, careful retries, redaction.
//!
//! Only reads are repeated, and only for what passes quickly: a broken connection, 429 and 5xx. Where nobody listens, nobody
//! will in a second. An answer with a status is an [`Answer`], whatever the status; only what never became an answer is an
//! error. Credentials never follow a redirect to another origin.
//!
//! Here: requests, limits, redirects, retries (`answer.rs`: what came back; `trouble.rs`: why nothing came back;
//! `cause.rs`: what was wrong with the connection, for every client of the program).
//! Never here: what an answer means to a registry or to anyone else.
//! Start reading at [`Client::read`]. Used by the clients in `observe` and `act`.

mod answer;
mod cause;
mod trouble;

pub use answer::Answer;
pub use cause::Cause;
pub use trouble::shown;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, Url};
use tokio::time::Instant;

use super::{clock, credentials};
use crate::error::{Error, Kind, Result};
use crate::model::Secret;
use trouble::Trouble;

/// What a request may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a connection may take.
    pub connect: Duration,
    /// How long the other side may be silent while it answers.
    pub idle: Duration,
    /// How long one attempt may take.
    pub attempt: Duration,
    /// How long all attempts together may take, with the pauses between them.
    pub total: Duration,
    /// How often a read is attempted.
    pub attempts: usize,
    /// How long the pause before the second attempt is, at least; the pauses double.
    pub pause: Duration,
    /// How many bytes an answer may have.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(20),
            attempt: Duration::from_secs(60),
            total: Duration::from_secs(120),
            attempts: 4,
            pause: Duration::from_millis(250),
            body: 64 * 1024 * 1024,
        }
    }
}

/// How a request says who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// `Authorization: Bearer`.
    Bearer(Secret),
    /// `Authorization: Basic`.
    Basic(String, Secret),
}

impl Login {
    fn header(&self) -> Result<HeaderValue> {
        use base64::Engine as _;
        let text = match self {
            Self::Bearer(token) => format!("Bearer {}", token.expose()),
            Self::Basic(name, password) => {
                format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{name}:{}", password.expose())))
            }
        };
        let mut value =
            HeaderValue::from_str(&text).map_err(|_| Error::config("A token or password holds characters that HTTP cannot carry."))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    login: Option<Login>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// A `GET` of this address.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A `HEAD` of this address.
    pub fn head(url: Url) -> Self {
        Self::new(Method::HEAD, url)
    }

    /// A request of any method.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), login: None, body: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.append(name, HeaderValue::from_static(value));
        self
    }

    /// Says who asks.
    #[must_use]
    pub fn login(mut self, login: Option<Login>) -> Self {
        self.login = login;
        self
    }

    /// Sends this value as JSON.
    #[must_use]
    pub fn json(mut self, value: &serde_json::Value) -> Self {
        self.headers.insert(reqwest::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = Some(value.to_string().into_bytes());
        self
    }
}

/// Redirects that are followed within one attempt.
const REDIRECTS: usize = 5;

/// The client. Cheap to clone; connections are kept.
#[derive(Clone, Debug)]
pub struct Client {
    limits: Limits,
    authorities: Vec<reqwest::Certificate>,
    /// Made when first needed: each reads all certificates of the system.
    proxied: Arc<OnceLock<reqwest::Client>>,
    /// For this computer itself, which no proxy leads to.
    direct: Arc<OnceLock<reqwest::Client>>,
}

impl Client {
    /// A client with these limits. It reads the proxy settings of the environment, and `SSL_CERT_FILE` or `GIT_SSL_CAINFO` for
    /// a private certificate authority.
    pub fn new(limits: Limits) -> Result<Self> {
        // Everything is built without a provider of cryptography; the second installation of the same one changes nothing.
        rustls::crypto::ring::default_provider().install_default().ok();
        Ok(Self { limits, authorities: private_authorities()?, proxied: Arc::default(), direct: Arc::default() })
    }

    /// The inner client for an address.
    fn towards(&self, url: &Url) -> Result<&reqwest::Client> {
        let local = is_loopback(url);
        let made = if local { &self.direct } else { &self.proxied };
        if let Some(client) = made.get() {
            return Ok(client);
        }
        let builder = reqwest::Client::builder()
            .user_agent(concat!("tomoda-release/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.limits.connect)
            .read_timeout(self.limits.idle)
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_merge(self.authorities.clone());
        let client = if local { builder.no_proxy() } else { builder }
            .build()
            .map_err(|why| Error::config("The HTTP client cannot be set up; is a proxy variable or a certificate wrong?").because(why))?;
        Ok(made.get_or_init(|| client))
    }

    /// Sends a read, again when that may help. The last answer counts, whatever its status.
    pub async fn read(&self, request: &Request) -> Result<Answer> {
        let deadline = Instant::now() + self.limits.total;
        let mut pauses = self.pauses();
        loop {
            let attempt = self.once(request, deadline).await;
            let asked = match &attempt {
                Ok(answer) if answer.may_pass() => answer.retry_after(clock::now()),
                Err(trouble) if trouble.kind() == Kind::Remote => None,
                _ => break attempt.map_err(|it| it.told(&request.url)),
            };
            let pause = pauses.next().map(|it| it.max(asked.unwrap_or_default()));
            match pause.filter(|it| Instant::now() + *it < deadline) {
                Some(pause) => clock::wait(pause).await,
                None => break attempt.map_err(|it| it.told(&request.url)),
            }
        }
    }

    /// Sends a request once. After an error it is not known whether the other side acted on it.
    pub async fn send(&self, request: &Request) -> Result<Answer> {
        self.once(request, Instant::now() + self.limits.total).await.map_err(|it| it.told(&request.url))
    }

    fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(self.limits.pause)
            .with_max_delay(Duration::from_secs(20))
            .with_max_times(self.limits.attempts.saturating_sub(1))
            .build()
    }

    async fn once(&self, request: &Request, deadline: Instant) -> Result<Answer, Trouble> {
        let limit = self.limits.attempt.min(deadline.saturating_duration_since(Instant::now()));
        tokio::time::timeout(limit, self.follow(request)).await.unwrap_or(Err(Trouble::Silent(limit)))
    }

    /// Follows redirects: anywhere without credentials, inside the origin with them, never from https to http.
    async fn follow(&self, request: &Request) -> Result<Answer, Trouble> {
        let mut url = request.url.clone();
        for _ in 0..=REDIRECTS {
            let answer = self.exchange(request, url.clone()).await?;
            let read = matches!(request.method, Method::GET | Method::HEAD);
            let target =
                Some(answer.status()).filter(|it| read && matches!(it, 301 | 302 | 303 | 307 | 308)).and(answer.header(LOCATION.as_str()));
            let Some(target) = target else { return Ok(answer) };
            let next = url.join(target).map_err(|_| Trouble::Redirected("an address that cannot be read".to_owned()))?;
            let elsewhere = next.origin() != request.url.origin() && request.login.is_some();
            if elsewhere || (url.scheme() == "https" && next.scheme() != "https") {
                return Err(Trouble::Redirected(shown(&next)));
            }
            url = next;
        }
        Err(Trouble::Redirected("itself, again and again".to_owned()))
    }

    async fn exchange(&self, request: &Request, url: Url) -> Result<Answer, Trouble> {
        let client = self.towards(&url).map_err(Trouble::Ours)?;
        let mut builder = client.request(request.method.clone(), url).headers(request.headers.clone());
        if let Some(login) = &request.login {
            builder = builder.header(AUTHORIZATION, login.header().map_err(Trouble::Ours)?);
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        let mut response = builder.send().await.map_err(Trouble::Wire)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Trouble::Wire)? {
            if body.len() + chunk.len() > self.limits.body {
                return Err(Trouble::TooLarge(self.limits.body));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer::new(request.url.clone(), status, headers, body))
    }
}

/// Whether an address is on this computer.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The certificates of private authorities. `SSL_CERT_FILE` is also read by the system's own verifier, where there is one.
fn private_authorities() -> Result<Vec<reqwest::Certificate>> {
    let mut found = Vec::new();
    for name in ["SSL_CERT_FILE", "GIT_SSL_CAINFO"] {
        let Some(path) = credentials::environment(name) else { continue };
        let pem = std::fs::read(&path).map_err(|why| Error::config(format!("{name} names {path}, which cannot be read.")).because(why))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|why| Error::config(format!("{name} names {path}, which holds no certificates in PEM form.")).because(why))?;
        found.extend(certificates);
    }
    Ok(found)
}
