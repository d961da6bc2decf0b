//! Images: a repository, a tag, a digest, and references made of them.

use std::fmt;

/// An image's name without tag and digest: `host/path/image`. Docker Hub's short forms are spelled out
/// (`nginx` is `docker.io/library/nginx`), so that equal means the same image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// Accepts an image name of the OCI distribution grammar, with or without a registry.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = |why: &str| Err(format!("“{}” is not an image name: {why}.", text.escape_debug()));
        let (first, rest) = text.split_once('/').map_or((text, None), |(first, rest)| (first, Some(rest)));
        let (registry, path) = match rest {
            Some(rest) if first.contains(['.', ':']) || first == "localhost" => (first, rest.to_owned()),
            Some(_) => ("docker.io", text.to_owned()),
            None => ("docker.io", format!("library/{text}")),
        };
        if path.chars().any(|c| c.is_ascii_uppercase()) {
            return bad("upper-case letters are not allowed in the path");
        }
        // Domain-scoped Google projects (`example.com:project/...`) carry a colon in the first part of the path.
        let part = |i: usize, it: &str| {
            let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            edge(it.chars().next())
                && edge(it.chars().last())
                && it.chars().all(|c| {
                    c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c) || (i == 0 && c == ':' && registry != "docker.io")
                })
        };
        if !path.split('/').enumerate().all(|(i, it)| part(i, it)) {
            return bad("each part of the path needs lower-case letters, digits, “.”, “_” or “-”");
        }
        let host_ok = registry.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c)) && !registry.starts_with('-');
        if !host_ok || registry.is_empty() {
            return bad("the registry is not a host name");
        }
        Ok(Self { registry: registry.to_owned(), path })
    }

    /// The registry's host and port.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Whether its registry is one of Google's, which answer with more than the standard asks for.
    pub fn is_google(&self) -> bool {
        is_google(&self.registry)
    }

    /// The path inside the registry.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Whether a registry's host is one of Google's.
pub fn is_google(host: &str) -> bool {
    host.ends_with(".pkg.dev") || host == "gcr.io" || host.ends_with(".gcr.io")
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// A tag: 1 to 128 characters of `[A-Za-z0-9_.-]`, not starting with `.` or `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// Accepts what a registry accepts.
    pub fn parse(text: &str) -> Result<Self, String> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        let first = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        match text.as_bytes() {
            [head, ..] if text.len() <= 128 && first(*head) && text.bytes().all(inner) => Ok(Self(text.to_owned())),
            _ => Err(format!("“{}” is not a tag that a registry accepts.", text.escape_debug())),
        }
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A content digest: `sha256:` and 64 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// Accepts a SHA-256 digest.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hex = |it: &str| it.len() == 64 && it.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if text.strip_prefix("sha256:").is_some_and(hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("“{}” is not a digest: sha256: and 64 lower-case hex digits are expected.", text.escape_debug()))
        }
    }

    /// The digest as text, with `sha256:`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hex digits alone.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    /// Twelve hex digits, as people write them.
    pub fn short(&self) -> &str {
        &self.0[..19]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// What an overlay says about one image: its tag, its digest, or both. The digest decides what runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Pin {
    /// The tag, as written. Not a [`Tag`]: what a person wrote may be anything.
    pub tag: Option<String>,
    /// The digest, as written.
    pub digest: Option<String>,
}

impl Pin {
    /// Both a tag and its digest: the only thing this program writes.
    pub fn exact(tag: &Tag, digest: &Digest) -> Self {
        Self { tag: Some(tag.as_str().to_owned()), digest: Some(digest.as_str().to_owned()) }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.tag, &self.digest) {
            (Some(tag), Some(digest)) => write!(f, "{tag}@{}", digest.get(..19).unwrap_or(digest)),
            (Some(tag), None) => f.write_str(tag),
            (None, Some(digest)) => write!(f, "@{}", digest.get(..19).unwrap_or(digest)),
            (None, None) => f.write_str("(nothing)"),
        }
    }
}

/// A whole reference: `name[:tag][@digest]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageRef {
    /// The image's name.
    pub repository: Repository,
    /// The tag, if given.
    pub tag: Option<Tag>,
    /// The digest, if given.
    pub digest: Option<Digest>,
}

impl ImageRef {
    /// Splits a reference as `docker pull` does: the digest after `@`, the tag after the last `:` behind the last `/`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let name_start = rest.rfind('/').map_or(0, |it| it + 1);
        let (name, tag) = match rest[name_start..].rfind(':') {
            Some(colon) => (&rest[..name_start + colon], Some(Tag::parse(&rest[name_start + colon + 1..])?)),
            None => (rest, None),
        };
        Ok(Self { repository: Repository::parse(name)?, tag, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_split_as_docker_splits_them() {
        let it = ImageRef::parse("europe-west1-docker.pkg.dev/proj/repo/app:v1").unwrap();
        assert_eq!(
            (it.repository.registry(), it.repository.path(), it.tag.unwrap().as_str()),
            ("europe-west1-docker.pkg.dev", "proj/repo/app", "v1")
        );
        assert_eq!(ImageRef::parse("registry:5000/classic-web").unwrap().repository.registry(), "registry:5000");
        assert_eq!(Repository::parse("docker.io/jannfis/x").unwrap(), Repository::parse("jannfis/x").unwrap());
        assert_ne!(Repository::parse("quay.io/nginx").unwrap(), Repository::parse("docker.io/nginx").unwrap());
        assert_eq!(Repository::parse("europe-west1-docker.pkg.dev/example.com:proj/repo/app").unwrap().path(), "example.com:proj/repo/app");
        assert!(Repository::parse("REPO/App").is_err());
    }

    #[test]
    fn tags_and_digests_are_what_a_registry_accepts() {
        assert!(Tag::parse(&"a".repeat(128)).is_ok());
        for bad in [&"a".repeat(129), ".a", "-a", "", "a b", "a:b"] {
            assert!(Tag::parse(bad).is_err(), "{bad}");
        }
        assert!(Digest::parse(&format!("sha256:{}", "A".repeat(64))).is_err());
    }
}
