//! Versions as image tags write them: a leading `v`, leading zeros, a pre-release, sometimes fewer than three parts.

use std::cmp::Ordering;
use std::fmt;

/// The longest text that is read as a version: longer than any tag.
const LONGEST: usize = 256;

/// How much of a version has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Three dotted numbers. Dates, build numbers and digits-only commits are no versions.
    ThreeParts,
    /// One, two or three dotted numbers; missing ones count as zero.
    Lenient,
}

/// A version as a tag writes it. Compared by SemVer precedence: the build part and the spelling do not count.
#[derive(Clone, Debug)]
pub struct ParsedVersion {
    /// Major, minor and patch.
    pub numbers: [u64; 3],
    /// The pre-release; empty for a release.
    pub pre: semver::Prerelease,
}

impl ParsedVersion {
    /// Reads `1.2.3`, `v1.2.3`, `01.2.3`, `1.2.3-rc.1`, `1.2.3+build`; with [`Form::Lenient`] also `1.2` and `1`.
    pub fn parse(text: &str, form: Form) -> Result<Self, String> {
        let bad = |why: &str| Err(format!("“{text}” is not a version: {why}."));
        if text.len() > LONGEST {
            return Err(format!("A text of {} characters is not a version.", text.len()));
        }
        let (numbers, rest) = Self::split(text);
        let (dotted, count) = match parse_numbers(numbers) {
            Ok(found) => found,
            Err(why) => return bad(why),
        };
        if form == Form::ThreeParts && count < 3 {
            return bad("it needs three dotted numbers");
        }
        match parse_suffix(rest) {
            Ok(pre) => Ok(Self { numbers: dotted, pre }),
            Err(why) => bad(&why),
        }
    }

    /// The dotted numbers (without a leading `v`) and everything from the first `-` or `+` on.
    pub(super) fn split(text: &str) -> (&str, &str) {
        let text = text.strip_prefix('v').unwrap_or(text);
        text.split_at(text.find(['-', '+']).unwrap_or(text.len()))
    }

    /// Whether this is a pre-release.
    pub fn is_pre(&self) -> bool {
        !self.pre.is_empty()
    }
}

/// One to three dotted numbers, and how many there were.
fn parse_numbers(text: &str) -> Result<([u64; 3], usize), &'static str> {
    let mut numbers = [0; 3];
    let mut count = 0;
    for part in text.split('.') {
        if count == 3 {
            return Err("it has more than three dotted numbers");
        }
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return Err("its dotted parts have to be numbers");
        }
        numbers[count] = part.parse().map_err(|_| "one of its numbers is too large")?;
        count += 1;
    }
    Ok((numbers, count))
}

/// `-pre+build`, each of them optional; only the pre-release is kept.
pub(super) fn parse_suffix(text: &str) -> Result<semver::Prerelease, String> {
    let (pre, build) = text.split_once('+').map_or((text, None), |(pre, build)| (pre, Some(build)));
    if let Some(build) = build {
        let fine = !build.is_empty() && semver::BuildMetadata::new(build).is_ok();
        fine.then_some(()).ok_or_else(|| format!("its build part “{build}” is malformed"))?;
    }
    match pre.strip_prefix('-') {
        None => Ok(semver::Prerelease::EMPTY),
        Some("") => Err("its pre-release is empty".to_owned()),
        Some(pre) => semver::Prerelease::new(pre).map_err(|why| format!("its pre-release “{pre}” is malformed ({why})")),
    }
}

impl Ord for ParsedVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| self.pre.cmp(&other.pre))
    }
}

impl PartialOrd for ParsedVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ParsedVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ParsedVersion {}

impl fmt::Display for ParsedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if self.is_pre() { write!(f, "-{}", self.pre) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_is_that_of_semver() {
        let rising =
            ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"];
        let parsed: Vec<_> = rising.iter().map(|it| ParsedVersion::parse(it, Form::ThreeParts).unwrap()).collect();
        assert!(parsed.windows(2).all(|it| it[0] < it[1]), "{parsed:?}");
    }

    #[test]
    fn missing_parts_are_zero_and_only_welcome_when_lenient() {
        let lenient = |it| ParsedVersion::parse(it, Form::Lenient).unwrap();
        assert_eq!(lenient("v1.20"), lenient("1.20.0+b"));
        assert!(ParsedVersion::parse("1.20", Form::ThreeParts).is_err());
        assert!(ParsedVersion::parse("1.0.18446744073709551616", Form::Lenient).is_err());
    }
}
