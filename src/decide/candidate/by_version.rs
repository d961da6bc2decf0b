//! `newest: semver`: the highest version inside a range.

use super::{Order, Ranked, Relation, Unranked};
use crate::model::{ParsedVersion, Policy, Range, TaggedImage, VersionForm};

/// Versions, by SemVer precedence.
pub(super) struct Versions<'a> {
    policy: &'a Policy,
    range: &'a Range,
    form: VersionForm,
}

impl<'a> Versions<'a> {
    pub(super) fn new(policy: &'a Policy, range: &'a Range, lenient: bool) -> Self {
        Self { policy, range, form: if lenient { VersionForm::Lenient } else { VersionForm::ThreeParts } }
    }

    /// The part of the tag that is the version.
    fn key(&self, tag: &str) -> Result<String, String> {
        match &self.policy.pattern {
            Some(pattern) => pattern
                .key(tag, self.policy.extract.as_deref())
                .ok_or_else(|| format!("“{tag}” does not match the pattern {}.", pattern.as_str())),
            None => Ok(tag.to_owned()),
        }
    }
}

impl Order for Versions<'_> {
    type Rank = ParsedVersion;

    fn rank(&self, image: &TaggedImage) -> Result<ParsedVersion, Unranked> {
        let version = self.key(image.tag.as_str()).and_then(|key| ParsedVersion::parse(&key, self.form)).map_err(Unranked::NotMeant)?;
        if self.range.matches(&version) {
            Ok(version)
        } else if self.range.only_lacks_pre(&version) {
            Err(Unranked::NotMeant(format!("{version} is a pre-release, which {} does not let in.", self.range)))
        } else {
            Err(Unranked::NotMeant(format!("{version} is outside of {}.", self.range)))
        }
    }

    /// More is understood than would be chosen: `1.20` may stand in an overlay. A bare number may be a date or a commit.
    fn rank_current(&self, tag: &str) -> Result<ParsedVersion, String> {
        let key = self.key(tag)?;
        if self.form == VersionForm::ThreeParts && key.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("“{key}” is a bare number, not a version."));
        }
        ParsedVersion::parse(&key, VersionForm::Lenient)
    }

    fn relations(&self, to: &ParsedVersion) -> impl Fn(&ParsedVersion) -> Relation {
        move |it| it.cmp(to).into()
    }

    /// Equal versions in different spellings: the greater text, as image updaters do.
    fn newest<'a>(&self, among: &[Ranked<'a, ParsedVersion>]) -> Result<Ranked<'a, ParsedVersion>, String> {
        let newest = among.iter().max_by(|a, b| a.rank.cmp(&b.rank).then_with(|| a.image.tag.cmp(&b.image.tag)));
        newest.cloned().ok_or_else(|| "There is no version to choose from.".to_owned())
    }

    fn describe(&self, rank: &ParsedVersion) -> String {
        format!("version {rank}")
    }
}
