//! Steps: the writes to the outside, what each expects to replace, and what came of it.

use std::fmt;

use super::{CommitId, EnvName, ImageMove, ObjectId, RepoPath, RunId, Version};

/// One write to the outside. It carries its run's id, so that it is recognised when seen again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Commit new image pins to an overlay.
    WriteOverlay(OverlayWrite),
    /// Create an annotated tag.
    CutTag(TagCut),
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
    /// The commit it points to: what dev proved.
    pub commit: CommitId,
    /// The text above the trailers.
    pub message: String,
    /// The tagger's time in seconds since the epoch: the plan's, so that a repeated cut makes the same object.
    pub time: i64,
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
    /// [`Step::PublishPage`].
    PublishPage,
}

impl Step {
    /// Which step this is.
    pub fn key(&self) -> StepKey {
        match self {
            Self::WriteOverlay(_) => StepKey::WriteOverlay,
            Self::CutTag(_) => StepKey::CutTag,
            Self::PublishPage(_) => StepKey::PublishPage,
        }
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WriteOverlay => "write-overlay",
            Self::CutTag => "cut-tag",
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
    CreateTag(TagCut),
    /// A release page that must not exist.
    CreatePage(PageWrite),
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
