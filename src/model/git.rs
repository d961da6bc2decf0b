//! Git's nouns: object ids, refs, repository addresses and paths inside them.

use std::fmt;

/// Any git object: SHA-1 (40) or SHA-256 (64) lower-case hex digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(String);

impl ObjectId {
    /// Accepts a full object id.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex && matches!(text.len(), 40 | 64) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("“{text}” is not a full git object id of 40 or 64 lower-case hex digits."))
        }
    }

    /// The id as hex.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, as people write them.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// A commit, never a tag object or a tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(ObjectId);

impl CommitId {
    /// Accepts a full commit id.
    pub fn parse(text: &str) -> Result<Self, String> {
        ObjectId::parse(text).map(Self)
    }

    /// A commit from an object id that is known to name one.
    pub fn new(id: ObjectId) -> Self {
        Self(id)
    }

    /// The id as hex.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The first seven digits.
    pub fn short(&self) -> &str {
        self.0.short()
    }

    /// The commit as an object.
    pub fn object(&self) -> &ObjectId {
        &self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether git accepts this as the name of a ref below `refs/heads/` (git-check-ref-format).
fn valid_ref_part(text: &str) -> bool {
    let bad = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    !text.is_empty()
        && text.len() <= 255
        && !text.chars().any(bad)
        && !text.contains("..")
        && !text.contains("@{")
        && !text.contains("//")
        && text != "@"
        && !text.ends_with('/')
        && !text.ends_with('.')
        && text.split('/').all(|part| !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with(".lock"))
}

/// A branch, without `refs/heads/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchName(String);

impl BranchName {
    /// Accepts what git accepts as a branch name; `refs/heads/` in front is taken off.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("refs/heads/").unwrap_or(text);
        if valid_ref_part(name) { Ok(Self(name.to_owned())) } else { Err(format!("“{text}” is not a branch name that git accepts.")) }
    }

    /// The short name: `main`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full ref: `refs/heads/main`.
    pub fn to_ref(&self) -> RefName {
        RefName(format!("refs/heads/{}", self.0))
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A full ref name: `refs/heads/main`, `refs/tags/v1.2.3`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(String);

impl RefName {
    /// Accepts a full ref name that starts with `refs/`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.strip_prefix("refs/").is_some_and(valid_ref_part) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("“{text}” is not a full ref name such as refs/heads/main."))
        }
    }

    /// The ref of a tag.
    pub fn tag(name: &str) -> Result<Self, String> {
        Self::parse(&format!("refs/tags/{name}"))
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a repository is. Printing it never shows a password.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoUrl(String);

impl RepoUrl {
    /// Accepts `https://`, `http://`, `ssh://`, `file://` and the scp form `user@host:path`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let schemed = ["https://", "http://", "ssh://", "file://"].iter().any(|it| text.len() > it.len() && text.starts_with(it));
        let scp = !text.contains("://")
            && text.split_once(':').is_some_and(|(host, path)| !host.is_empty() && !host.contains('/') && !path.is_empty());
        let (user, host, path) = split_host(text);
        if text.starts_with('-') || user.starts_with('-') || host.starts_with('-') || path.starts_with('-') {
            return Err("The repository's user, host or path starts with “-”, which ssh would read as an option.".to_owned());
        }
        if (schemed || scp) && !text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("“{}” is not a repository address: use https://, ssh://, file:// or user@host:path.", Self(text.to_owned())))
        }
    }

    /// The address as written, with whatever credentials it carries. For the transport only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// User, host and path of an address, roughly: enough to refuse what ssh would take for an option.
fn split_host(text: &str) -> (&str, &str, &str) {
    let (authority, path) = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    (user, host, path)
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once("://") {
            Some((scheme, rest)) if scheme != "ssh" => {
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                let host = authority.rsplit_once('@').map_or(authority, |it| it.1);
                let slash = if rest.contains('/') { "/" } else { "" };
                write!(f, "{scheme}://{host}{slash}{path}")
            }
            // The user of an ssh address is part of it; a password is not.
            Some((scheme, rest)) => match rest.split_once('@') {
                Some((user, place)) => write!(f, "{scheme}://{}@{place}", user.split(':').next().unwrap_or_default()),
                None => f.write_str(&self.0),
            },
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A path inside a repository: relative, `/`-separated, without `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(String);

impl RepoPath {
    /// Accepts a relative path that stays inside the repository; a trailing `/` is taken off.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let fine = !path.is_empty()
            && !path.contains('\\')
            && !path.chars().any(char::is_control)
            && path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part != ".git");
        if fine {
            Ok(Self(path.to_owned()))
        } else {
            Err(format!("“{text}” is not a path inside the repository: it must be relative, without “..”."))
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This path with one more part.
    pub fn join(&self, part: &str) -> Self {
        Self(format!("{}/{part}", self.0))
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_never_shows_its_password() {
        let url = RepoUrl::parse("https://bot:hunter2@git.example/x.git").unwrap();
        assert_eq!(format!("{url} {url:?}"), "https://git.example/x.git https://git.example/x.git");
        assert_eq!(RepoUrl::parse("ssh://git:hunter2@host/x.git").unwrap().to_string(), "ssh://git@host/x.git");
        assert_eq!(RepoUrl::parse("git@host:x/y.git").unwrap().to_string(), "git@host:x/y.git");
    }

    #[test]
    fn nothing_that_ssh_would_read_as_an_option_is_an_address() {
        for bad in [
            "ssh://-oProxyCommand=x/y",
            "-oX@host:path",
            "ssh://-oX@host/path",
            "-oProxyCommand=x:y",
            "git@-x:y",
            "host:-x",
            "ftp://x/y",
            "x",
            "",
            "ssh://",
        ] {
            assert!(RepoUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_stays_inside() {
        for bad in ["/etc", "../x", "a/../b", "a//b", "", ".", "a/.git/b", "a\\b"] {
            assert!(RepoPath::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(RepoPath::parse("k8s/dev/").unwrap().join("x.yaml").as_str(), "k8s/dev/x.yaml");
    }

    #[test]
    fn branch_names_follow_git() {
        for bad in ["a..b", "a b", "a~1", "x.lock", "/x", "x/", "@", "a@{1}", "-x", ""] {
            assert!(BranchName::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(BranchName::parse("refs/heads/feat/x").unwrap().as_str(), "feat/x");
    }
}
