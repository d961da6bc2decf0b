//! The release page on GitHub.

use crate::error::{Error, Result};
use crate::io::http::Cause;
use crate::model::{GitHub, Outcome, PageWrite, Performed, Secret};

/// GitHub cuts release notes off at this many characters.
const MAX_BODY: usize = 125_000;

/// A client for this repository. Nothing is retried by it: a repeated POST would make a second page.
pub fn client(github: &GitHub, token: &Secret) -> Result<octocrab::Octocrab> {
    octocrab::Octocrab::builder()
        .base_uri(github.api.as_str())
        .map_err(|why| Error::config(format!("“{}” is not the address of a GitHub API.", github.api)).because(why))?
        .personal_token(token.expose().to_owned())
        .set_connect_timeout(Some(std::time::Duration::from_secs(10)))
        .set_read_timeout(Some(std::time::Duration::from_secs(30)))
        .build()
        .map_err(|why| Error::bug("The GitHub client cannot be built.").because(why))
}

/// The address of the page of a tag, if there is one.
pub async fn find(client: &octocrab::Octocrab, github: &GitHub, tag: &str) -> Result<Option<String>> {
    match client.repos(&github.owner, &github.repo).releases().get_by_tag(tag).await {
        Ok(page) => Ok(Some(page.html_url.to_string())),
        Err(octocrab::Error::GitHub { source, .. }) if source.status_code.as_u16() == 404 => Ok(None),
        Err(why) => Err(failed(github, "reading its releases", why)),
    }
}

/// Publishes the page. An error means that nobody knows whether it is there.
pub async fn publish(client: &octocrab::Octocrab, github: &GitHub, page: &PageWrite) -> Result<Performed> {
    let body: String = page.body.chars().take(MAX_BODY).collect();
    let releases = client.repos(&github.owner, &github.repo);
    match releases.releases().create(&page.tag).name(&page.tag).body(&body).send().await {
        Ok(done) => Ok(Performed::Settled(Outcome::Landed { object: None, reference: done.html_url.to_string(), adopted: false })),
        // It is there already: the next look adopts it.
        Err(octocrab::Error::GitHub { source, .. }) if source.status_code.as_u16() == 422 => {
            let exists = format!("{source:?}").contains("already_exists");
            let why = format!("GitHub refuses the release page of {}: {}", page.tag, source.message);
            Ok(if exists { Performed::Overtaken } else { Performed::Settled(Outcome::Refused { why }) })
        }
        Err(why) => Err(failed(github, "publishing a release", why)),
    }
}

/// A permission is a final no, anything else may pass.
fn failed(github: &GitHub, doing: &str, why: octocrab::Error) -> Error {
    let status = match &why {
        octocrab::Error::GitHub { source, .. } => Some((source.status_code.as_u16(), source.message.clone())),
        _ => None,
    };
    let place = format!("{}/{} on {}", github.owner, github.repo, github.api);
    match status {
        Some((401 | 403 | 404, said)) => Error::remote_final(format!("GitHub does not allow {doing} in {place}: {said}"))
            .hint(format!("The token {} needs “contents: write” on this repository.", github.token)),
        Some((status, said)) => Error::remote(format!("GitHub answered {status} to {doing} in {place}: {said}")),
        None => {
            let cause = Cause::of(&why);
            Error::new(cause.kind(), format!("GitHub did not answer to {doing} in {place}: {cause}."))
        }
    }
}
