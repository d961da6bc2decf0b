//! The next version, from commits.
//!
//! Here: what each commit counts as, which commits undo each other, the version that results, and when it must not be cut.
//! Never here: reading a repository, writing a tag.
//! Start reading at [`next_version`], then `plan.rs`. Used by `decide` and by the command `next-version`.

use std::fmt;

mod message;
mod plan;
mod revert;

pub use plan::{PlannedVersion, plan_version};
use revert::Fate;

use crate::error::{Error, Result};
use crate::model::{CommitId, HistoryCommit, Level, Version};

/// A commit of the range that a version is made from.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// Its id.
    pub id: &'a CommitId,
    /// Its whole message.
    pub message: &'a str,
    /// Its parents, where known.
    pub parents: &'a [CommitId],
    /// Whether it is a merge.
    pub merge: bool,
}

impl<'a> From<&'a HistoryCommit> for Commit<'a> {
    fn from(it: &'a HistoryCommit) -> Self {
        Self { id: &it.id, message: &it.message, parents: &it.parents, merge: it.parents.len() > 1 }
    }
}

/// What a commit counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It breaks something.
    Major,
    /// It adds something.
    Minor,
    /// It repairs something.
    Patch,
    /// A conventional title that changes nothing for users: `chore`, `docs`.
    None,
    /// A merge: its branch's commits are in the range themselves.
    Merge,
    /// It and another commit of the range undo each other.
    Reverted,
    /// Its title says nothing that can be read.
    Unparsed,
}

impl Class {
    /// How much it counts against other classes.
    fn weight(self) -> u8 {
        match self {
            Self::Major => 3,
            Self::Minor => 2,
            Self::Patch => 1,
            Self::None | Self::Merge | Self::Reverted | Self::Unparsed => 0,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Patch => "patch",
            Self::None => "none",
            Self::Merge => "merge",
            Self::Reverted => "reverted",
            Self::Unparsed => "unparsed",
        })
    }
}

/// A commit with what it counts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// Its id.
    pub id: CommitId,
    /// Its title.
    pub subject: String,
    /// What it counts as.
    pub class: Class,
    /// What decided: a line of its message, or what another commit does to it.
    pub because: String,
}

/// The next version and how it came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// The version before; `None` for a first release.
    pub previous: Option<Version>,
    /// The version that results; the one before where there are no commits.
    pub next: Version,
    /// Which number was raised; `None` for a first release and where there are no commits.
    pub level: Option<Level>,
    /// All commits of the range, oldest first. None is ever left out.
    pub commits: Vec<Classified>,
    /// What a person should know before saying yes.
    pub warnings: Vec<String>,
}

/// The version that these commits (oldest first) make after `previous`; `initial` is the first one, where there is none before.
pub fn next_version(previous: Option<Version>, initial: Option<Version>, commits: &[Commit<'_>]) -> Result<Next> {
    let (commits, mut warnings) = classify(commits);
    let Some(before) = previous else {
        let next = initial.ok_or_else(|| {
            Error::refused("There is no release before this one, so the next version cannot be counted from it.")
                .hint("If there are releases, fetch their tags (git fetch --tags); if not, say what the first version is: --initial v0.1.0 here, or app.initial in the pipeline file.")
        })?;
        return Ok(Next { previous, next, level: None, commits, warnings });
    };
    if commits.is_empty() {
        return Ok(Next { previous, next: before, level: None, commits, warnings });
    }
    let asked = match commits.iter().map(|it| it.class.weight()).max() {
        Some(3) => Level::Major,
        Some(2) => Level::Minor,
        _ => Level::Patch,
    };
    let level = if before.major == 0 { asked.min(Level::Minor) } else { asked };
    if level != asked {
        warnings.push("A breaking change below 1.0.0 raises the minor number. 1.0.0 is a decision, not a count.".to_owned());
    }
    if [before.major, before.minor, before.patch].contains(&u64::MAX) {
        return Err(Error::refused(format!("No version comes after {before}: one of its numbers is the largest there is.")));
    }
    Ok(Next { previous, next: before.bump(level), level: Some(level), commits, warnings })
}

/// Every commit with its class, and what is to be said about them.
fn classify(commits: &[Commit<'_>]) -> (Vec<Classified>, Vec<String>) {
    let fates = revert::fates(commits);
    let mut warnings = Vec::new();
    let classified: Vec<_> = commits.iter().zip(&fates).map(|(it, fate)| classify_one(it, fate, commits, &mut warnings)).collect();
    let unparsed = classified.iter().filter(|it| it.class == Class::Unparsed).count();
    if unparsed > 0 {
        let (verb, whom) = if unparsed == 1 { ("does", "it counts") } else { ("do", "they count") };
        warnings.push(format!("{unparsed} of {} commits {verb} not follow Conventional Commits; {whom} as patch.", commits.len()));
    }
    (classified, warnings)
}

fn classify_one(commit: &Commit<'_>, fate: &Fate, all: &[Commit<'_>], warnings: &mut Vec<String>) -> Classified {
    let subject = message::subject(commit.message);
    let mut warn = |text: &str| warnings.push(format!("{} “{}” {text}", commit.id.short(), message::shown(subject)));
    let mut reading = message::read(commit.message);
    let of = |at: &usize| all[*at].id.short();
    let (class, because) = match fate {
        Fate::TakenBy(by) => {
            reading.warnings.clear();
            (Class::Reverted, format!("reverted by {}", of(by)))
        }
        _ if commit.merge => {
            if message::speaks_of_a_break(commit.message) {
                warn("is a merge whose message speaks of a breaking change; merges are not counted, only the commits they bring.");
            }
            reading.warnings.clear();
            (Class::Merge, "a merge: the commits it brought count".to_owned())
        }
        Fate::Takes(taken) if reading.class != Class::Major && revert::is_titled(subject) => {
            reading.warnings.clear();
            (Class::Reverted, format!("reverts {}", taken.iter().map(of).collect::<Vec<_>>().join(", ")))
        }
        Fate::Ambiguous(short) => {
            warn(&format!("reverts “{short}”, which more than one commit of the range begins with; nothing is cancelled."));
            (reading.class, reading.line.clone())
        }
        Fate::Outside { restores: Some(title) } if reading.class != Class::Major => {
            let again = message::read(title);
            (again.class, format!("again: {title}"))
        }
        Fate::Outside { restores: None } if reading.class != Class::Major && revert::is_titled(subject) => {
            warn("reverts something that is not in this range, probably released before; counted as patch.");
            (Class::Patch, subject.to_owned())
        }
        Fate::Stands | Fate::Takes(_) | Fate::Outside { .. } => (reading.class, reading.line.clone()),
    };
    reading.warnings.iter().for_each(|it| warn(it));
    Classified { id: commit.id.clone(), subject: subject.to_owned(), class, because }
}
