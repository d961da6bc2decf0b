//! Registries: all tags of a repository, and the digest of one tag.
//!
//! One poll without news is one request: nothing is asked beforehand, a login is only made when the registry asks for it, and
//! its token is kept. A Google registry tells the digest and the upload time of every tag in the same answer.
//!
//! Here: the OCI distribution protocol as far as reading needs it (`login.rs`: who asks; `pages.rs`: following a listing;
//! `listing.rs`: what a page says).
//! Never here: which tag is wanted.
//! Start reading at [`Registry::list`] and [`Registry::resolve`]. Used by `cli`.

mod listing;
mod login;
mod pages;

use reqwest::header::ACCEPT;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::error::{Error, Result};
use crate::io::http::{Answer, Client, Limits, Request};
use crate::model::{Digest, Listing, RegistrySettings, Repository, Seen, Tag};

/// Every form a tag can have. A registry that is not told about indexes says 404 to a tag that is one.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// A client of registries, with the tokens they gave.
#[derive(Debug)]
pub struct Registry {
    http: Client,
    logins: login::Logins,
}

impl Registry {
    /// A client with the usual limits.
    pub fn new() -> Result<Self> {
        Self::with_limits(Limits::default())
    }

    /// A client with these limits.
    pub fn with_limits(limits: Limits) -> Result<Self> {
        Ok(Self { http: Client::new(limits)?, logins: login::Logins::default() })
    }

    /// All tags of a repository: all of them, or the reason why not.
    pub async fn list(&self, settings: &RegistrySettings, repository: &Repository) -> Seen<Listing> {
        seen(self.pages(&Place::of(settings, repository)).await, &format!("The tags of {repository} could not be listed"))
    }

    /// The digest of a tag; `None` only when the registry says that it has no such tag.
    pub async fn resolve(&self, settings: &RegistrySettings, repository: &Repository, tag: &Tag) -> Seen<Option<Digest>> {
        let place = Place::of(settings, repository);
        seen(self.digest(&place, tag).await, &format!("The digest of {repository}:{tag} could not be read"))
    }

    async fn digest(&self, place: &Place<'_>, tag: &Tag) -> Result<Option<Digest>> {
        let url = place.url(&format!("manifests/{tag}"))?;
        let head = self.ask(place, &Request::head(url.clone()).header(ACCEPT, MANIFESTS)).await?;
        if let Some(digest) = head.header("docker-content-digest").filter(|_| head.is_success()) {
            return Digest::parse(digest).map(Some).map_err(Error::remote_final);
        }
        if !(head.is_success() || head.status() == 404) {
            return Err(refusal(place, &head));
        }
        // Without the header the bytes have to be hashed; and only a body says what it is that was not found.
        let answer = self.ask(place, &Request::get(url).header(ACCEPT, MANIFESTS)).await?;
        if answer.status() == 404 && error_codes(&answer).iter().any(|it| it == "MANIFEST_UNKNOWN") {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(refusal(place, &answer));
        }
        hashed(&answer).map(Some)
    }
}

/// The digest of a manifest's bytes, compared with what the registry calls it.
fn hashed(answer: &Answer) -> Result<Digest> {
    let hex: String = Sha256::digest(answer.body()).iter().map(|it| format!("{it:02x}")).collect();
    let digest = Digest::parse(&format!("sha256:{hex}")).map_err(Error::bug)?;
    match answer.header("docker-content-digest") {
        Some(said) if said != digest.as_str() => Err(Error::remote_final(format!(
            "the registry calls the manifest {}, but its bytes have the digest {digest}",
            said.escape_debug()
        ))),
        _ => Ok(digest),
    }
}

/// A repository, where it really is.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    settings: &'a RegistrySettings,
    repository: &'a Repository,
}

impl<'a> Place<'a> {
    fn of(settings: &'a RegistrySettings, repository: &'a Repository) -> Self {
        Self { settings, repository }
    }

    /// The address of something below the repository.
    fn url(self, what: &str) -> Result<Url> {
        let host = self.repository.registry();
        let usual = format!("https://{}", if host == "docker.io" { "registry-1.docker.io" } else { host });
        let base = self.settings.endpoint.as_deref().unwrap_or(&usual).trim_end_matches('/');
        Url::parse(&format!("{base}/v2/{}/{what}", self.repository.path()))
            .map_err(|why| Error::config(format!("The address of the registry {host} cannot be read.")).because(why))
    }
}

/// Turns a failure into something not seen.
fn seen<T>(result: Result<T>, what: &str) -> Seen<T> {
    result.map_err(|why| why.while_doing(what)).into()
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
}

/// What the registry calls its refusal. Not every body is JSON: quotas answer in plain text, proxies in HTML.
fn error_codes(answer: &Answer) -> Vec<String> {
    let errors = answer.json::<Errors>().map(|it| it.errors).unwrap_or_default();
    errors.into_iter().map(|it| it.code).collect()
}

/// An answer that is neither a yes nor a “no such tag”.
fn refusal(place: &Place<'_>, answer: &Answer) -> Error {
    let error = answer.refusal();
    match answer.status() {
        401 | 403 => {
            let how = match place.settings.auth {
                crate::model::RegistryAuth::Anonymous => "nobody is logged in: does it need `auth` in `registries`?",
                crate::model::RegistryAuth::Google => "the Google credentials need roles/artifactregistry.reader there.",
                crate::model::RegistryAuth::Basic { .. } => "are its username and password right?",
            };
            error.hint(format!("The registry does not allow reading, or hides that there is nothing; {how}"))
        }
        404 => error.hint(format!("The repository was not found: is {} spelled right?", place.repository)),
        _ => error,
    }
}
