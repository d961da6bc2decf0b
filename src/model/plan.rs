//! A plan: what a command is going to do, as a value to be printed, hashed and approved.

use super::{CommitId, ComponentName, Digest, EnvName, Level, Pin, RepoPath, Repository, RunKind, Tag, Version};

/// What a run is going to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Bump or promotion.
    pub kind: RunKind,
    /// The environment that moves.
    pub environment: EnvName,
    /// Every image of the environment: those that move, and those that stay and are verified with them. For a promotion the
    /// digests are known only after the builds.
    pub moves: Vec<ImageMove>,
    /// The tag to cut, for a promotion.
    pub tag: Option<PlannedTag>,
    /// The gates, by title, in order.
    pub gates: Vec<String>,
    /// What a person should know before saying yes.
    pub warnings: Vec<String>,
}

/// One image moves from one pin to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageMove {
    /// The component.
    pub component: ComponentName,
    /// Its image in this environment.
    pub repository: Repository,
    /// What the overlay says now.
    pub from: Pin,
    /// The tag it moves to.
    pub tag: Tag,
    /// The digest it moves to; `None` in a plan whose images are not built yet.
    pub digest: Option<Digest>,
    /// The commit its image is built from, where known.
    pub commit: Option<CommitId>,
}

/// The tag a promotion cuts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTag {
    /// Its name.
    pub name: String,
    /// The version.
    pub version: Version,
    /// The highest version before it, if any.
    pub previous: Option<Version>,
    /// How the version was raised; `None` when it was given or is the first.
    pub level: Option<Level>,
    /// The commit it stands at: what the earlier environment proved, or the release commit on top of it.
    pub commit: CommitId,
    /// The release commit, where one is made.
    pub release: Option<ReleaseCommit>,
    /// Whether the tag is there already, at exactly this commit.
    pub exists: bool,
    /// The commits since the previous version.
    pub brief: Brief,
}

/// A commit that writes the version into some files and changes nothing else. The same plan makes the same commit on every
/// machine: all that its id is made of is the plan's, and its time is that of the commit it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseCommit {
    /// Its only parent: what the earlier environment proved.
    pub onto: CommitId,
    /// The files it changes.
    pub files: Vec<RepoPath>,
    /// The version that is replaced, in files that hold more than a version.
    pub replaces: Option<Version>,
}

/// The commits of a release, each with its class. All of them: leaving one out would be worse than failing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brief {
    /// Oldest first.
    pub commits: Vec<BriefCommit>,
    /// What the whole list was, where the ledger kept only its beginning. A brief that was just made is never cut.
    pub cut: Option<BriefCut>,
}

/// The whole list of which a ledger record kept the beginning: enough to prove later that a list is the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BriefCut {
    /// How many commits the whole list has.
    pub count: usize,
    /// SHA-256 over the whole list, one line `id class subject` for each commit, in hex.
    pub sha256: String,
}

/// One commit of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BriefCommit {
    /// Its id.
    pub id: CommitId,
    /// Its first line.
    pub subject: String,
    /// What it counts as: `major`, `minor`, `patch`, `none`, `merge`, `reverted`, `unparsed`.
    pub class: String,
}

impl ImageMove {
    /// Whether the overlay has to change for it. A component that stays is part of a plan too: it is verified with the others.
    pub fn changes(&self) -> bool {
        self.digest.as_ref().is_none_or(|digest| self.from != Pin::exact(&self.tag, digest))
    }
}
