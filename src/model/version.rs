//! Versions `MAJOR.MINOR.PATCH` and the git tags made of them.

use std::fmt;

/// A released version. No pre-release, no build suffix, no leading zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u64,
    /// The second number.
    pub minor: u64,
    /// The third number.
    pub patch: u64,
}

impl Version {
    /// Accepts `1.2.3`; a leading zero, a suffix or a missing part is refused (SemVer 2.0.0, section 2).
    pub fn parse(text: &str) -> Result<Self, String> {
        let it = semver::Version::parse(text).map_err(|why| format!("“{text}” is not a version such as 1.2.3: {why}."))?;
        if !it.pre.is_empty() || !it.build.is_empty() {
            return Err(format!("“{text}” has a pre-release or build part; a release has neither."));
        }
        Ok(Self { major: it.major, minor: it.minor, patch: it.patch })
    }

    /// The next version at this level. Below 1.0.0 a breaking change raises the second number (and never reaches 1.0.0 by itself).
    pub fn bump(self, level: Level) -> Self {
        let Self { major, minor, patch } = self;
        match level {
            Level::Major if major > 0 => Self { major: major + 1, minor: 0, patch: 0 },
            Level::Major | Level::Minor => Self { major, minor: minor + 1, patch: 0 },
            Level::Patch => Self { major, minor, patch: patch + 1 },
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// How much a release changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing a user would notice by reading the version.
    Patch,
    /// Something new.
    Minor,
    /// Something breaks.
    Major,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        })
    }
}

/// How a version is written as a git tag: `v{version}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TagTemplate {
    prefix: String,
    suffix: String,
}

impl TagTemplate {
    /// Accepts a text with exactly one `{version}` in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split("{version}").collect::<Vec<_>>()[..] {
            [prefix, suffix] => Ok(Self { prefix: prefix.to_owned(), suffix: suffix.to_owned() }),
            _ => Err(format!("“{text}” needs {{version}} exactly once, as in v{{version}}.")),
        }
    }

    /// The tag of a version.
    pub fn render(&self, version: Version) -> String {
        format!("{}{version}{}", self.prefix, self.suffix)
    }

    /// The version of a tag; `None` for every other tag.
    pub fn read(&self, tag: &str) -> Option<Version> {
        let inner = tag.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        Version::parse(inner).ok()
    }

    /// Whether a tag that is none of ours could be taken for one: `v01.2.3`, `v1.2`. Pre-releases are not: they say what they are.
    pub fn resembles(&self, tag: &str) -> bool {
        let inner = tag.strip_prefix(&self.prefix).and_then(|it| it.strip_suffix(&self.suffix));
        let dotted = |it: &str| it.starts_with(|c: char| c.is_ascii_digit()) && it.chars().all(|c| c.is_ascii_digit() || c == '.');
        self.read(tag).is_none() && inner.is_some_and(dotted)
    }
}

impl Default for TagTemplate {
    /// `v{version}`.
    fn default() -> Self {
        Self { prefix: "v".to_owned(), suffix: String::new() }
    }
}

impl fmt::Display for TagTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{{version}}{}", self.prefix, self.suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_version_and_nothing_else() {
        let template = TagTemplate::default();
        assert_eq!(template.read("v1.10.0").unwrap().to_string(), "1.10.0");
        for other in ["v01.2.3", "v1.2", "1.2.3", "v1.2.3-rc.1", "v1.2.3+b1", "v1.2.3.4", "v18446744073709551616.0.0", "vv1.2.3"] {
            assert_eq!(template.read(other), None, "{other}");
        }
        assert!(TagTemplate::parse("v").is_err() && TagTemplate::parse("{version}{version}").is_err());
    }

    #[test]
    fn below_one_a_break_raises_the_second_number() {
        let bump = |text: &str, level| Version::parse(text).unwrap().bump(level).to_string();
        assert_eq!(bump("0.3.1", Level::Major), "0.4.0");
        assert_eq!(bump("1.3.1", Level::Major), "2.0.0");
        assert_eq!(bump("1.3.1", Level::Minor), "1.4.0");
    }
}
