//! One GET of one address: no redirect is followed, and time and size have a bound.

use std::time::Duration;

use super::http::Cause;
use crate::error::{Error, Result};

/// How long one probe may take, from the name's look-up to the last byte.
const WITHIN: Duration = Duration::from_secs(10);
/// How much of a body is read. A health answer has less.
const LIMIT: usize = 64 << 10;

/// The answer of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The start of the body.
    pub body: String,
}

/// Asks one address within the usual time.
pub async fn get(address: &str) -> Result<Answer> {
    get_within(address, WITHIN).await
}

/// Asks one address. An answer is an answer, whatever its status; only the lack of one is an error.
pub async fn get_within(address: &str, within: Duration) -> Result<Answer> {
    let shown = shown(address);
    // Whoever came first installed one, and it is the same.
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(within)
        .user_agent(concat!("tomoda-release/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|why| Error::bug("The client that probes addresses cannot be built.").because(why))?;
    let unreached = |why: reqwest::Error| unreached(&shown, within, why);
    let mut response = client.get(address).header("accept", "application/json, */*;q=0.5").send().await.map_err(unreached)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreached)? {
        body.extend_from_slice(&chunk);
        if body.len() >= LIMIT {
            body.truncate(LIMIT);
            break;
        }
    }
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

fn unreached(shown: &str, within: Duration, why: reqwest::Error) -> Error {
    if why.is_timeout() {
        return Error::remote(format!("{shown} did not answer within {} s.", within.as_secs_f32()));
    }
    if why.is_builder() {
        return Error::config(format!("{shown} is not an address that can be asked."));
    }
    let what = if why.is_body() || why.is_decode() { "broke off its answer" } else { "cannot be reached" };
    let cause = Cause::of(&why.without_url());
    Error::new(cause.kind(), format!("{shown} {what}: {cause}."))
}

/// An address without the parts that may hold a secret.
fn shown(address: &str) -> String {
    match url::Url::parse(address) {
        Ok(mut url) => {
            // These fail only for addresses that have no such parts.
            url.set_username("").ok();
            url.set_password(None).ok();
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        }
        Err(_) => "The probe's address".to_owned(),
    }
}
