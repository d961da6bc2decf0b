//! Google: access tokens, and the client of Cloud Build.

use std::time::Duration;

use google_cloud_auth::credentials::{
    AccessTokenCredentials, Builder, CacheableResource, Credentials, CredentialsProvider, EntityTag, anonymous,
};
use google_cloud_auth::errors::CredentialsError;
use google_cloud_build_v1::client::CloudBuild;
use google_cloud_gax::exponential_backoff::ExponentialBackoffBuilder;
use google_cloud_gax::retry_policy::{Aip194Strict, RetryPolicyExt as _};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use tokio::sync::OnceCell;

use super::{credentials, http::is_loopback};
use crate::error::{Error, Result};
use crate::model::Secret;

/// A file with an access token: `gcloud`'s own variable. Read anew for every use, because something else renews it.
const TOKEN_FILE: &str = "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE";
/// An access token.
const TOKEN: &str = "GOOGLE_OAUTH_ACCESS_TOKEN";
/// Where Cloud Build is, when not at Google: `gcloud`'s own variable.
const CLOUD_BUILD: &str = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDBUILD";
/// How long one call of Cloud Build may take with all its attempts. The default policy would go on for minutes.
const CALL_LIMIT: Duration = Duration::from_secs(60);
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Application default credentials, looked for once a process; they renew their token themselves.
static DEFAULT: OnceCell<AccessTokenCredentials> = OnceCell::const_new();

/// An access token: from `CLOUDSDK_AUTH_ACCESS_TOKEN_FILE`, from `GOOGLE_OAUTH_ACCESS_TOKEN`, or else of the application
/// default credentials.
pub async fn access_token() -> Result<Secret> {
    if let Some(token) = given_token()? {
        return Ok(token);
    }
    let token = default_credentials().await?.access_token().await.map_err(|why| unavailable().because(why))?;
    Ok(Secret::new(token.token))
}

/// A client of Cloud Build.
pub async fn cloud_build() -> Result<CloudBuild> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let endpoint = credentials::environment(CLOUD_BUILD);
    let mut builder = CloudBuild::builder()
        .with_credentials(cloud_build_credentials(endpoint.as_deref()).await?)
        .with_retry_policy(Aip194Strict.with_attempt_limit(3).with_time_limit(CALL_LIMIT))
        // Google's own table for reads: 100 ms, growing. The client's default of a second keeps a person waiting for nothing.
        .with_backoff_policy(
            ExponentialBackoffBuilder::new()
                .with_initial_delay(Duration::from_millis(100))
                .with_maximum_delay(Duration::from_secs(10))
                .with_scaling(1.3)
                .clamp(),
        );
    if let Some(endpoint) = &endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    builder.build().await.map_err(|why| Error::config("The client of Cloud Build cannot be set up.").because(why))
}

async fn cloud_build_credentials(endpoint: Option<&str>) -> Result<Credentials> {
    if given_token()?.is_some() {
        return Ok(Credentials::from(GivenToken));
    }
    // A stand-in on this computer asks for no token, and must not be sent a real one.
    let local = endpoint.and_then(|it| reqwest::Url::parse(it).ok()).is_some_and(|it| is_loopback(&it));
    if local {
        return Ok(anonymous::Builder::new().build());
    }
    Ok(Credentials::from(default_credentials().await?.clone()))
}

/// The token that the environment gives, if it gives one.
fn given_token() -> Result<Option<Secret>> {
    if let Some(path) = credentials::environment(TOKEN_FILE) {
        let text = std::fs::read_to_string(&path)
            .map_err(|why| Error::config(format!("{TOKEN_FILE} names {path}, which cannot be read.")).because(why))?;
        return match text.trim() {
            "" => Err(Error::config(format!("{TOKEN_FILE} names {path}, which is empty."))),
            token => Ok(Some(Secret::new(token))),
        };
    }
    Ok(credentials::environment(TOKEN).map(|it| Secret::new(it.trim())))
}

async fn default_credentials() -> Result<&'static AccessTokenCredentials> {
    DEFAULT
        .get_or_try_init(|| async {
            rustls::crypto::ring::default_provider().install_default().ok();
            Builder::default().with_scopes([SCOPE]).build_access_token_credentials().map_err(|why| unavailable().because(why))
        })
        .await
}

fn unavailable() -> Error {
    Error::remote_final("There are no usable Google credentials.")
        .hint(format!("Run `gcloud auth application-default login`, or set {TOKEN_FILE} or GOOGLE_APPLICATION_CREDENTIALS."))
}

/// Credentials that hand out the environment's token, read anew each time.
#[derive(Debug)]
struct GivenToken;

impl CredentialsProvider for GivenToken {
    async fn headers(&self, _: http::Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let gone = |_| CredentialsError::from_msg(false, "the access token of the environment cannot be read");
        let token = given_token().map_err(gone)?.unwrap_or_else(|| Secret::new(""));
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| CredentialsError::from_msg(false, "the access token holds characters that HTTP cannot carry"))?;
        value.set_sensitive(true);
        Ok(CacheableResource::New { entity_tag: EntityTag::new(), data: HeaderMap::from_iter([(AUTHORIZATION, value)]) })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}
