//! Ranges of versions, in the grammar that image updaters share (Masterminds/semver 3.4), not that of the `semver` crate.

/// A constraint such as `~1.2`, `>= 1.1, < 2 || >= 3` or `*`.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    source: String,
}

impl Range {
    /// Accepts a constraint; everything wrong with it is said in one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { source: text.to_owned() })
    }

    /// The constraint as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}
