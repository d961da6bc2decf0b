//! Who asks: nobody, a name and a password, or Google; and the tokens that registries hand out for that.
//!
//! A request is first sent with what is at hand. Only when the registry answers 401 and says how to log in, a token is fetched,
//! once however many wait for it, kept, and the request sent once more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::{Place, Registry};
use crate::error::{Error, Result};
use crate::io::http::{Answer, Login, Request, shown};
use crate::io::{credentials, google};
use crate::model::{RegistryAuth, Secret};

/// The logins of a process, by registry, way to log in, and repository.
#[derive(Debug, Default)]
pub(super) struct Logins {
    sessions: Mutex<HashMap<String, Arc<Mutex<Session>>>>,
}

/// What a registry asked for and gave, for one repository.
#[derive(Debug, Default)]
struct Session {
    challenge: Option<Challenge>,
    token: Option<Token>,
}

#[derive(Clone, Debug)]
struct Token {
    value: Secret,
    ends: Instant,
}

/// A token is not used in its last seconds.
const MARGIN: Duration = Duration::from_secs(5);
/// How long a token holds that does not say.
const USUAL_LIFE: u64 = 60;

impl Logins {
    async fn session(&self, place: &Place<'_>) -> Arc<Mutex<Session>> {
        let key = format!("{:?} {}", place.settings, place.repository);
        Arc::clone(self.sessions.lock().await.entry(key).or_default())
    }
}

impl Registry {
    /// Sends a read to a registry, logged in as it asks.
    pub(super) async fn ask(&self, place: &Place<'_>, request: &Request) -> Result<Answer> {
        let session = self.logins.session(place).await;
        let used = self.at_hand(place, &session).await?;
        let answer = self.http.read(&request.clone().login(used.clone())).await?;
        if answer.status() != 401 {
            return Ok(answer);
        }
        let renewed = match answer.headers("www-authenticate").find_map(Challenge::parse) {
            Some(challenge) => Some(self.token(place, &session, challenge, used.as_ref()).await?),
            None => {
                session.lock().await.token = None;
                self.at_hand(place, &session).await?
            }
        };
        if renewed == used { Ok(answer) } else { self.http.read(&request.clone().login(renewed)).await }
    }

    /// The login that is tried first: a token that still holds, or what the pipeline says.
    async fn at_hand(&self, place: &Place<'_>, session: &Mutex<Session>) -> Result<Option<Login>> {
        let mut session = session.lock().await;
        match &session.token {
            Some(token) if token.ends > Instant::now() => return Ok(Some(Login::Bearer(token.value.clone()))),
            _ => {}
        }
        if let Some(challenge) = session.challenge.clone() {
            let token = self.fetch(place, &challenge).await?;
            return Ok(Some(session.keep(token)));
        }
        match &place.settings.auth {
            RegistryAuth::Anonymous => Ok(None),
            // Artifact Registry takes the access token itself: no exchange, one request.
            RegistryAuth::Google => Ok(Some(Login::Bearer(google::access_token().await?))),
            RegistryAuth::Basic { username, password } => Ok(Some(Login::Basic(username.clone(), credentials::resolve(password)?))),
        }
    }

    /// A new token, unless another request fetched one while this one was refused.
    async fn token(&self, place: &Place<'_>, session: &Mutex<Session>, challenge: Challenge, used: Option<&Login>) -> Result<Login> {
        let mut session = session.lock().await;
        match &session.token {
            Some(token) if token.ends > Instant::now() && used != Some(&Login::Bearer(token.value.clone())) => {
                return Ok(Login::Bearer(token.value.clone()));
            }
            _ => {}
        }
        let token = self.fetch(place, &challenge).await?;
        session.challenge = Some(challenge);
        Ok(session.keep(token))
    }

    /// Fetches a token where the registry says.
    async fn fetch(&self, place: &Place<'_>, challenge: &Challenge) -> Result<Token> {
        let url = challenge.address(place)?;
        let login = match &place.settings.auth {
            RegistryAuth::Anonymous => None,
            RegistryAuth::Google => Some(Login::Basic("oauth2accesstoken".to_owned(), google::access_token().await?)),
            RegistryAuth::Basic { username, password } => Some(Login::Basic(username.clone(), credentials::resolve(password)?)),
        };
        let answer = self.http.read(&Request::get(url).login(login)).await?;
        if !answer.is_success() {
            return Err(super::refusal(place, &answer));
        }
        let given: Given = answer.json()?;
        let value = given.token.or(given.access_token).filter(|it| !it.is_empty());
        let value = value.ok_or_else(|| Error::remote(format!("{} answered without a token", shown(answer.url()))))?;
        let life = Duration::from_secs(given.expires_in.unwrap_or(USUAL_LIFE).min(3600)).saturating_sub(MARGIN);
        Ok(Token { value: Secret::new(value), ends: Instant::now() + life })
    }
}

impl Session {
    fn keep(&mut self, token: Token) -> Login {
        let login = Login::Bearer(token.value.clone());
        self.token = Some(token);
        login
    }
}

/// What a token server gives. `token` and `access_token` are the same thing.
#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// `WWW-Authenticate: Bearer realm="…",service="…",scope="…"`; only the realm has to be there.
#[derive(Clone, Debug, PartialEq)]
struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(char::is_whitespace)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters(rest);
        let get = |name: &str| parameters.iter().find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.clone());
        Some(Self { realm: get("realm")?, service: get("service"), scope: get("scope") })
    }

    /// Where the token is fetched. Our credentials go there, so it has to be the registry itself or speak https; Google's go
    /// nowhere but to the registry.
    fn address(&self, place: &Place<'_>) -> Result<Url> {
        let registry = place.url("")?;
        let mut url = registry
            .join(&self.realm)
            .map_err(|_| Error::remote_final("the registry names a token server with an address that cannot be read"))?;
        let same = url.origin() == registry.origin();
        let fine = same || (url.scheme() == "https" && place.settings.auth != RegistryAuth::Google);
        if !fine {
            return Err(Error::remote_final(format!("the registry wants the login to be sent to {}; it was not sent", shown(&url))));
        }
        let scope = self.scope.clone().unwrap_or_else(|| format!("repository:{}:pull", place.repository.path()));
        if let Some(service) = &self.service {
            url.query_pairs_mut().append_pair("service", service);
        }
        url.query_pairs_mut().append_pair("scope", &scope);
        Ok(url)
    }
}

/// `name="value", name=value`: commas inside quotes belong to the value, as in `scope="repository:x:pull,push"`.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.push((name.trim_matches([' ', ',']).to_owned(), value.trim().to_owned()));
        rest = left.trim_start_matches([' ', ',']);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_as_registries_write_it() {
        let full =
            Challenge::parse("Bearer realm=\"https://auth.example/token\",service=\"r\", scope=\"repository:a/b:pull,push\"").unwrap();
        assert_eq!((full.realm.as_str(), full.service.as_deref()), ("https://auth.example/token", Some("r")));
        assert_eq!(full.scope.as_deref(), Some("repository:a/b:pull,push"));
        let short = Challenge::parse("bearer realm=\"https://europe-docker.pkg.dev/v2/token\"").unwrap();
        assert_eq!((short.service, short.scope), (None, None));
        assert_eq!(Challenge::parse("Basic realm=\"x\""), None);
        assert_eq!(Challenge::parse("Bearer service=x"), None);
        assert_eq!(Challenge::parse(""), None);
    }
}
