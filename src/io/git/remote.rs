//! A remote repository: its address, its token, its refs.

use base64::Engine as _;
use url::Url;

use crate::error::{Error, Result};
use crate::model::{ObjectId, RefName, RepoUrl, Secret};

/// How to reach a repository.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where it is.
    pub url: RepoUrl,
    /// The token or password, sent as Basic `x-access-token:<token>` over http(s). A user in the address takes the place
    /// of `x-access-token`; without a token, user and password of the address are sent.
    pub token: Option<Secret>,
}

/// A ref of the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRef {
    /// Its name.
    pub name: RefName,
    /// The object it points to.
    pub object: ObjectId,
    /// For an annotated tag: the object behind it, peeled.
    pub peeled: Option<ObjectId>,
}

/// The address as libgit2 may know it: without user and password over http(s), so that no text of its own can hold them.
pub(super) fn plain_address(url: &RepoUrl) -> String {
    let text = url.to_string();
    match text.split_once("://") {
        Some(("http" | "https", _)) => text.trim_end_matches('/').to_owned(),
        _ => url.expose().to_owned(),
    }
}

/// The value of the `Authorization` header, if there is anything to send.
pub(super) fn authorization(remote: &Remote) -> Result<Option<Secret>> {
    let text = remote.url.expose();
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return Ok(None);
    }
    let url =
        Url::parse(text).map_err(|why| Error::config(format!("The repository address {} cannot be read.", remote.url)).because(why))?;
    let user = percent_decoded(url.username());
    let (user, password) = match (&remote.token, url.password()) {
        (Some(token), _) if user.is_empty() => ("x-access-token".to_owned(), token.expose().to_owned()),
        (Some(token), _) => (user, token.expose().to_owned()),
        (None, Some(password)) => (user, percent_decoded(password)),
        (None, None) => return Ok(None),
    };
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    Ok(Some(Secret::new(format!("Basic {pair}"))))
}

/// `%41` to `A`; anything that is not such an escape stays.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = (first == b'%').then(|| tail.get(..2)).flatten().and_then(|it| std::str::from_utf8(it).ok());
        match escape.and_then(|it| u8::from_str_radix(it, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(url: &str, token: Option<&str>) -> Option<String> {
        let remote = Remote { url: RepoUrl::parse(url).unwrap(), token: token.map(Secret::new) };
        let secret = authorization(&remote).unwrap()?;
        let coded = secret.expose().strip_prefix("Basic ").unwrap().to_owned();
        Some(String::from_utf8(base64::engine::general_purpose::STANDARD.decode(coded).unwrap()).unwrap())
    }

    #[test]
    fn the_token_goes_before_the_address_and_nothing_is_sent_over_ssh() {
        assert_eq!(header("https://h/x.git", Some("t")).unwrap(), "x-access-token:t");
        assert_eq!(header("https://oauth2@h/x.git", Some("t")).unwrap(), "oauth2:t");
        assert_eq!(header("https://bot:p%40ss@h/x.git", None).unwrap(), "bot:p@ss");
        assert_eq!(header("https://bot:old@h/x.git", Some("new")).unwrap(), "bot:new");
        assert_eq!(header("https://h/x.git", None), None);
        assert_eq!(header("git@h:x.git", Some("t")), None);
    }

    #[test]
    fn libgit2_never_learns_a_password() {
        let url = RepoUrl::parse("https://bot:hunter2@h:8443/x.git/").unwrap();
        assert_eq!(plain_address(&url), "https://h:8443/x.git");
        assert_eq!(plain_address(&RepoUrl::parse("git@h:x.git").unwrap()), "git@h:x.git");
    }

    #[test]
    fn escapes_are_decoded_and_stray_percents_stay() {
        assert_eq!(percent_decoded("a%20b%zz%4"), "a b%zz%4");
    }
}
