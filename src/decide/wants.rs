//! Wants: what a look has to bring. What is not wanted is not looked at.

use jiff::Timestamp;

use crate::model::{CommitId, ComponentName, EnvName, ImageMove, NewRelease, RepoPath, Repository, RunId, Tag};

/// What a look has to bring, besides the ledger's tip.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wants {
    /// These overlays; and the newest commit of the branch that carries the run's id, if one is given.
    pub overlays: Vec<(EnvName, Option<RunId>)>,
    /// All tags of these repositories.
    pub listings: Vec<Repository>,
    /// The digests of these tags.
    pub digests: Vec<(Repository, Tag)>,
    /// The app repository.
    pub app: Option<AppWants>,
    /// The builds of a release tag.
    pub builds: Option<BuildWants>,
    /// What the gates of an environment ask for.
    pub gates: Option<GateWants>,
    /// The release page of this tag.
    pub page: Option<String>,
}

/// What to look at in the app repository.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppWants {
    /// The branch's history; without it only the tags are read.
    pub history: bool,
    /// The source of each component at the commit of its image and at the release commit.
    pub sources: Vec<(ComponentName, CommitId, CommitId)>,
    /// These files at these commits.
    pub files: Vec<(CommitId, RepoPath)>,
    /// The id of this release commit.
    pub release: Option<NewRelease>,
}

/// The builds of a release tag.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildWants {
    /// The environment whose triggers are asked.
    pub environment: EnvName,
    /// The tag they fire on.
    pub tag: String,
    /// When the tag was pushed, if it was us; otherwise the tag object's own time is taken.
    pub since: Option<Timestamp>,
}

/// What the gates of an environment ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct GateWants {
    /// The environment.
    pub environment: EnvName,
    /// The commit of the config repository that has to be live.
    pub commit: CommitId,
    /// The images it holds.
    pub images: Vec<ImageMove>,
}
