//! Ranges of versions, in the grammar that image updaters share (Masterminds/semver 3.4), not that of the `semver` crate:
//! bare `1.2.3` means exactly that, bare `1.2` the series, and there are `||`, `!=`, hyphen ranges and space for “and”.
//!
//! A comparator with a pre-release lets pre-releases into its whole “and” group, and into no other.

use std::fmt;

use super::loose_version::{ParsedVersion, parse_suffix};

/// The longest constraint that is read.
const LONGEST: usize = 512;

/// A constraint such as `~1.2`, `>= 1.1, < 2 || >= 3` or `*`.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    source: String,
    /// One of these groups has to hold in all its comparators.
    groups: Vec<Vec<Comparator>>,
}

impl Range {
    /// Accepts a constraint; everything wrong with it is said in one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("A version range of {} characters is too long; {LONGEST} are the limit.", text.len()));
        }
        if text.trim().is_empty() {
            return Err("The version range is empty; “*” means every release.".to_owned());
        }
        let mut problems = Vec::new();
        let groups: Vec<_> =
            text.split("||").filter_map(|group| Reader { rest: group }.group().map_err(|why| problems.push(why)).ok()).collect();
        match problems.is_empty() {
            true => Ok(Self { source: text.to_owned(), groups }),
            false => Err(format!("“{text}” is not a version range: {}.", problems.join("; "))),
        }
    }

    /// Every release, as `*` says.
    pub fn any() -> Self {
        let every = Comparator { op: Op::Bare, version: ParsedVersion { numbers: [0; 3], pre: semver::Prerelease::EMPTY }, precision: 0 };
        Self { source: "*".to_owned(), groups: vec![vec![every]] }
    }

    /// The constraint as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether the version is inside.
    pub fn matches(&self, version: &ParsedVersion) -> bool {
        self.groups.iter().any(|group| (!version.is_pre() || welcomes_pre(group)) && group.iter().all(|it| it.holds(version)))
    }

    /// Whether the version would be inside, were it not a pre-release that no comparator asks for.
    pub fn only_lacks_pre(&self, version: &ParsedVersion) -> bool {
        version.is_pre() && self.groups.iter().any(|group| !welcomes_pre(group) && group.iter().all(|it| it.holds(version)))
    }
}

/// A pre-release in one comparator lets them into the whole group.
fn welcomes_pre(group: &[Comparator]) -> bool {
    group.iter().any(|it| it.version.is_pre())
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Bare,
    Differs,
    Above,
    AtLeast,
    Below,
    AtMost,
    Tilde,
    Caret,
}

/// Longer spellings first, so that `>=` is not read as `>`.
const OPS: [(&str, Op); 11] = [
    ("!=", Op::Differs),
    (">=", Op::AtLeast),
    ("=>", Op::AtLeast),
    ("<=", Op::AtMost),
    ("=<", Op::AtMost),
    ("~>", Op::Tilde),
    ("~", Op::Tilde),
    ("^", Op::Caret),
    (">", Op::Above),
    ("<", Op::Below),
    ("=", Op::Bare),
];

/// `>= 1.2`: an operator and a version of which `precision` numbers were given.
#[derive(Clone, Debug, PartialEq)]
struct Comparator {
    op: Op,
    version: ParsedVersion,
    precision: usize,
}

impl Comparator {
    /// Whether the version satisfies this comparator, pre-releases aside. A partial version stands for its whole series.
    fn holds(&self, version: &ParsedVersion) -> bool {
        let given = self.precision;
        let series = version.numbers[..given].cmp(&self.version.numbers[..given]);
        let exact = given == 3;
        match self.op {
            Op::Bare if exact => version == &self.version,
            Op::Bare => series.is_eq() && self.reaches(version),
            Op::Differs if exact => version != &self.version,
            // `!=4.1-alpha` turns away the alphas of the series and not its releases.
            Op::Differs => series.is_ne() || ((version.is_pre() || self.version.is_pre()) && version.pre != self.version.pre),
            Op::Above if exact => version > &self.version,
            Op::Above => series.is_gt(),
            Op::AtLeast => self.reaches(version),
            Op::Below => given > 0 && version < &self.version,
            Op::AtMost if exact => version <= &self.version,
            Op::AtMost => series.is_le(),
            Op::Tilde => self.reaches(version) && version.numbers[..given.min(2)] == self.version.numbers[..given.min(2)],
            Op::Caret => self.reaches(version) && version.numbers[..self.caret_fixes()] == self.version.numbers[..self.caret_fixes()],
        }
    }

    fn reaches(&self, version: &ParsedVersion) -> bool {
        version >= &self.version
    }

    /// How many numbers `^` keeps: up to the leftmost that is not zero, as far as they were given.
    fn caret_fixes(&self) -> usize {
        let leading_zeros = self.version.numbers.iter().take_while(|it| **it == 0).count();
        (leading_zeros + 1).min(self.precision)
    }
}

/// Reads one “and” group from the left.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn group(mut self) -> Result<Vec<Comparator>, String> {
        let mut found = Vec::new();
        self.skip_space();
        if self.rest.is_empty() {
            return Err("a side of “||” is empty".to_owned());
        }
        loop {
            self.comparators(&mut found)?;
            if self.rest.is_empty() {
                return Ok(found);
            }
        }
    }

    /// One comparator, or the two of a hyphen range, and the separator behind it.
    fn comparators(&mut self, found: &mut Vec<Comparator>) -> Result<(), String> {
        let op = self.operator();
        let first = comparator(op.unwrap_or(Op::Bare), self.word()?)?;
        let spaced = self.skip_space();
        let hyphen = self.rest.strip_prefix('-').filter(|rest| spaced && rest.starts_with(char::is_whitespace));
        if let Some(rest) = hyphen {
            if op.is_some() {
                return Err("a hyphen range cannot begin with an operator".to_owned());
            }
            self.rest = rest;
            self.skip_space();
            found.push(Comparator { op: Op::AtLeast, ..first });
            found.push(comparator(Op::AtMost, self.word()?)?);
            self.skip_space();
        } else {
            found.push(first);
        }
        if let Some(rest) = self.rest.strip_prefix(',') {
            self.rest = rest;
            self.skip_space();
            if self.rest.is_empty() {
                return Err("nothing stands behind the last comma".to_owned());
            }
        }
        Ok(())
    }

    fn operator(&mut self) -> Option<Op> {
        let (text, op) = OPS.iter().find(|(text, _)| self.rest.starts_with(text))?;
        self.rest = &self.rest[text.len()..];
        self.skip_space();
        Some(*op)
    }

    /// Everything up to a space or comma.
    fn word(&mut self) -> Result<&'a str, String> {
        let end = self.rest.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if word.is_empty() { Err("a version is missing".to_owned()) } else { Ok(word) }
    }

    fn skip_space(&mut self) -> bool {
        let trimmed = self.rest.trim_start();
        let any = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        any
    }
}

/// Reads the version of a comparator: up to three numbers, of which the last ones may be `x`, `X` or `*`.
fn comparator(op: Op, word: &str) -> Result<Comparator, String> {
    let (dotted, suffix) = ParsedVersion::split(word);
    let parts: Vec<&str> = dotted.split('.').collect();
    if parts.len() > 3 {
        return Err(format!("“{word}” has more than three dotted parts"));
    }
    let wild = |it: &&str| matches!(*it, "x" | "X" | "*");
    let precision = parts.iter().position(wild).unwrap_or(parts.len());
    if !parts[precision..].iter().all(wild) {
        return Err(format!("“{word}” has a number behind a wildcard"));
    }
    let mut numbers = [0; 3];
    for (number, part) in numbers.iter_mut().zip(&parts[..precision]) {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        *number = match part.parse() {
            Ok(it) if digits => it,
            _ if digits => return Err(format!("“{word}” has a number that is too large")),
            _ => return Err(format!("“{word}” is not a version")),
        };
    }
    let pre = parse_suffix(suffix).map_err(|why| format!("“{word}” is not a version ({why})"))?;
    Ok(Comparator { op, version: ParsedVersion { numbers, pre }, precision })
}
