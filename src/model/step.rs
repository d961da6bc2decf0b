//! Steps: the writes to the outside, what each expects to replace, and what came of it.

use std::fmt;

use super::{CommitId, EnvName, ImageMove, ObjectId, ReleaseCommit, RepoPath, RunId, Version};

/// One write to the outside. It carries its run's id, so that it is recognised when seen again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Commit new image pins to an overlay.
    WriteOverlay(OverlayWrite),
    /// Create an annotated tag, and the release commit that it stands at, if there is one.
    CutTag(TagCut),
    /// Move the app branch forward to the release commit.
    AdvanceBranch(BranchAdvance),
    /// Publish the release page.
    PublishPage(PageWrite),
}

/// New image pins for one overlay. The intent is what counts: on a lost race it is applied again to the new text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlayWrite {
    /// The run it belongs to.
    pub run: RunId,
    /// The environment.
    pub environment: EnvName,
    /// The overlay's folder.
    pub overlay: RepoPath,
    /// What moves. Each move names what it expects to replace.
    pub moves: Vec<ImageMove>,
    /// The version, when it is a release.
    pub version: Option<Version>,
}

/// A tag that must not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagCut {
    /// The run it belongs to.
    pub run: RunId,
    /// The tag's name.
    pub name: String,
    /// The version it stands for.
    pub version: Version,
    /// The commit it points to: what dev proved, or the release commit on top of it.
    pub commit: CommitId,
    /// The release commit, where one is made: it reaches the server with the tag.
    pub release: Option<ReleaseCommit>,
    /// The text above the trailers.
    pub message: String,
    /// The tagger's time in seconds since the epoch: the plan's, so that a repeated cut makes the same object.
    pub time: i64,
}

/// The app branch moves from what dev proved to the release commit, if nothing else has moved it meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchAdvance {
    /// The run it belongs to.
    pub run: RunId,
    /// The tag that stands at the release commit; it exists.
    pub tag: String,
    /// The release commit.
    pub commit: CommitId,
    /// What the branch is expected to point to: the release commit's only parent.
    pub onto: CommitId,
}

/// The page of a release on the forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageWrite {
    /// The run it belongs to.
    pub run: RunId,
    /// The tag it belongs to; it exists.
    pub tag: String,
    /// The text, in Markdown.
    pub body: String,
}

/// Which step of a run. A run has each at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepKey {
    /// [`Step::WriteOverlay`].
    WriteOverlay,
    /// [`Step::CutTag`].
    CutTag,
    /// [`Step::AdvanceBranch`].
    AdvanceBranch,
    /// [`Step::PublishPage`].
    PublishPage,
}

impl Step {
    /// Which step this is.
    pub fn key(&self) -> StepKey {
        match self {
            Self::WriteOverlay(_) => StepKey::WriteOverlay,
            Self::CutTag(_) => StepKey::CutTag,
            Self::AdvanceBranch(_) => StepKey::AdvanceBranch,
            Self::PublishPage(_) => StepKey::PublishPage,
        }
    }
}

impl StepKey {
    /// Whether a run goes on when this step is refused: a branch that others moved on or a page that is not wanted harms nobody.
    pub fn may_be_refused(self) -> bool {
        matches!(self, Self::AdvanceBranch | Self::PublishPage)
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WriteOverlay => "write-overlay",
            Self::CutTag => "cut-tag",
            Self::AdvanceBranch => "advance-branch",
            Self::PublishPage => "publish-page",
        })
    }
}

/// A step made exact by what was just seen: these bytes, onto this commit. Done once, as it stands, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// One file of the config repository's branch gets this content.
    CommitFile {
        /// The step it carries out.
        step: OverlayWrite,
        /// The tip it was made for; the branch has to be there still.
        onto: CommitId,
        /// The file.
        file: RepoPath,
        /// Its whole new content.
        text: String,
    },
    /// A tag of the app repository that must not exist.
    CreateTag {
        /// The step it carries out.
        step: TagCut,
        /// What the release commit's files hold; empty where the tag stands at a commit that is there already.
        files: Vec<FileText>,
    },
    /// The app branch, which has to be where the step expects it.
    AdvanceBranch(BranchAdvance),
    /// A release page that must not exist.
    CreatePage(PageWrite),
}

/// A file's whole new content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileText {
    /// The file.
    pub path: RepoPath,
    /// Its content.
    pub text: String,
}

/// What became of one piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Performed {
    /// It is settled.
    Settled(Outcome),
    /// Someone else changed what it was made for. Nothing was done: look again.
    Overtaken,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there: by our write, or found there with our id or with exactly our content.
    Landed {
        /// The commit, the tag object; `None` where the system has no object ids.
        object: Option<ObjectId>,
        /// Where to look at it, or what it is called there.
        reference: String,
        /// Whether it was found rather than written by this process.
        adopted: bool,
    },
    /// It cannot be done: someone else's change stands there, or a rule forbids it.
    Refused {
        /// Why, as a sentence.
        why: String,
    },
}
