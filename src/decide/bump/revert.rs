//! Which commits of a range undo each other.
//!
//! Walking back from the newest: a revert that stands takes away what it names; a revert that was itself taken away takes nothing.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::{Commit, message};
use crate::decide::ancestry::{Abbreviated, Abbreviations};
use crate::model::CommitId;

/// git's own sentence. For a merge it goes on: `, reversing changes made to <sha>`.
static SENTENCE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?m)^\s*This reverts commit ([0-9a-f]{7,64})\b(?:,\s+reversing\s+changes\s+made\s+to\s+([0-9a-f]{7,64})\b)?")
});
/// `Revert "…"` and `Reapply "…"`, as git writes them.
static QUOTED: LazyLock<Regex> = LazyLock::new(|| pattern(r#"^(Revert|Reapply) "(.*)"(?: \(#\d+\))?$"#));
/// A conventional revert, whose `Refs:` footer names what it undoes.
static CONVENTIONAL: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)^revert(?:\([^()]+\))?!?: "));
static REFS: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^Refs: ([0-9a-f]{7,64}(?:,\s*[0-9a-f]{7,64})*)\s*$"));
/// The title of a squashed pull request, and what GitHub writes when one is reverted.
static PULL: LazyLock<Regex> = LazyLock::new(|| pattern(r"\(#(\d+)\)$"));
static REVERTS_PULL: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^Reverts (?:[\w.-]+/[\w.-]+)?#(\d+)\b"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant")
}

/// What reverts do to one commit of the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// No revert concerns it.
    Stands,
    /// A later commit (by position) took it away.
    TakenBy(usize),
    /// It takes away earlier commits of the range.
    Takes(Vec<usize>),
    /// It reverts something outside of the range; what its title says it restores, if it does.
    Outside {
        /// The title that is in force again, for a reapplied commit.
        restores: Option<String>,
    },
    /// It names a commit by an abbreviation that several commits of the range share.
    Ambiguous(String),
}

/// The fate of each commit, oldest first.
pub(super) fn fates(commits: &[Commit<'_>]) -> Vec<Fate> {
    let range = Range::new(commits);
    let mut fates = vec![Fate::Stands; commits.len()];
    for at in (0..commits.len()).rev() {
        if commits[at].merge || matches!(fates[at], Fate::TakenBy(_)) {
            continue;
        }
        match range.named_by(at) {
            Named::Nothing => {}
            Named::Outside => fates[at] = Fate::Outside { restores: restored(message::subject(commits[at].message)) },
            Named::Ambiguous(short) => fates[at] = Fate::Ambiguous(short),
            Named::Inside(taken) => {
                for &it in taken.iter().filter(|&&it| it < at) {
                    fates[it] = Fate::TakenBy(at);
                }
                fates[at] = Fate::Takes(taken);
            }
        }
    }
    fates
}

/// Whether a message is titled as a revert.
pub(super) fn is_titled(subject: &str) -> bool {
    QUOTED.is_match(subject) || CONVENTIONAL.is_match(subject)
}

/// The title in force again after this revert: `Reapply "x"` and `Revert "Revert "x""` restore x, `Revert "x"` nothing.
fn restored(subject: &str) -> Option<String> {
    let mut undone = false;
    let mut title = subject;
    while let Some(found) = QUOTED.captures(title) {
        undone ^= &found[1] == "Revert";
        title = found.extract::<2>().1[1];
    }
    (title != subject && !undone).then(|| title.to_owned())
}

/// What a commit says it undoes.
enum Named {
    Nothing,
    Outside,
    Inside(Vec<usize>),
    Ambiguous(String),
}

struct Range<'a> {
    commits: &'a [Commit<'a>],
    positions: HashMap<&'a CommitId, usize>,
    ids: Abbreviations<'a>,
}

impl<'a> Range<'a> {
    fn new(commits: &'a [Commit<'a>]) -> Self {
        let positions = commits.iter().enumerate().map(|(at, it)| (it.id, at)).collect();
        Self { commits, positions, ids: Abbreviations::new(commits.iter().map(|it| it.id)) }
    }

    fn named_by(&self, at: usize) -> Named {
        let text = self.commits[at].message;
        let subject = message::subject(text);
        let mut named: Vec<(&str, Option<&str>)> =
            SENTENCE.captures_iter(text).map(|it| (it.get(1).map_or("", |it| it.as_str()), it.get(2).map(|it| it.as_str()))).collect();
        if CONVENTIONAL.is_match(subject) {
            let refs = REFS.captures_iter(text).flat_map(|it| it.extract::<1>().1[0].split(',').map(|it| (it.trim(), None)));
            named.extend(refs);
        }
        if named.is_empty() {
            return self.named_by_pull_request(at, subject);
        }
        let mut inside = Vec::new();
        for (sha, since) in named {
            match self.ids.find(sha) {
                Abbreviated::One(it) if it < at => inside.extend(self.taken_with(it, since)),
                Abbreviated::Several => return Named::Ambiguous(sha.to_owned()),
                _ => {}
            }
        }
        inside.sort_unstable();
        inside.dedup();
        if inside.is_empty() { Named::Outside } else { Named::Inside(inside) }
    }

    /// GitHub's revert button names the pull request and not the commit: the quoted title has to end with that number.
    fn named_by_pull_request(&self, at: usize, subject: &str) -> Named {
        let Some(title) = QUOTED.captures(subject).map(|it| it.extract::<2>().1[1]) else {
            return if is_titled(subject) { Named::Outside } else { Named::Nothing };
        };
        let number = PULL.captures(title).map(|it| it.extract::<1>().1[0]);
        let same_number = REVERTS_PULL.captures(self.commits[at].message).map(|it| it.extract::<1>().1[0]) == number && number.is_some();
        let mut titled = (0..at).filter(|&it| same_number && message::subject(self.commits[it].message) == title);
        match (titled.next(), titled.next()) {
            (Some(it), None) => Named::Inside(vec![it]),
            _ => Named::Outside,
        }
    }

    /// A commit, and for a merge everything it brought: what is reachable from it and not from the parent it is reverted to.
    fn taken_with(&self, merge: usize, since: Option<&str>) -> Vec<usize> {
        let parents = self.commits[merge].parents;
        if !self.commits[merge].merge || parents.len() < 2 {
            return vec![merge];
        }
        let kept = parents.iter().find(|it| since.is_some_and(|since| it.as_str().starts_with(since))).unwrap_or(&parents[0]);
        let keep = self.positions.get(kept).map(|&it| self.reachable(it)).unwrap_or_default();
        self.reachable(merge).into_iter().filter(|it| keep.binary_search(it).is_err()).collect()
    }

    /// The commits of the range reachable from one, in order of position.
    fn reachable(&self, from: usize) -> Vec<usize> {
        let mut reached = vec![false; from + 1];
        reached[from] = true;
        for at in (0..=from).rev() {
            let parents = self.commits[at].parents.iter().filter_map(|it| self.positions.get(it)).filter(|&&it| it < at);
            if reached[at] {
                parents.for_each(|&it| reached[it] = true);
            }
        }
        (0..=from).filter(|&it| reached[it]).collect()
    }
}
