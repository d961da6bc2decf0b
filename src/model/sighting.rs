//! A sighting: everything seen in one look, with its time. What was not asked for is absent; what could not be seen is `Unknown`.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::{
    ApplicationName, BranchName, CommitId, ComponentName, Digest, EnvName, FileText, ObjectId, RepoPath, Repository, State, Tag, Version,
};
use crate::error::{Error, Kind, Result};

/// Something that was looked at: known, or unknown with the reason. Missing data is never false and never zero.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen<T> {
    /// It was seen.
    Known(T),
    /// It was asked for and could not be seen.
    Unknown(Unseen),
}

/// Why something could not be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// What kind of failure it was: whether looking again may help depends on it.
    pub kind: Kind,
    /// The reason, and what to do about it where that is known.
    pub why: String,
}

impl Unseen {
    /// It cannot be seen before somebody puts something right.
    pub fn lasting(why: impl Into<String>) -> Self {
        Self { kind: Kind::RemoteFinal, why: why.into() }
    }

    /// It was not in a state in which it can be read; the next look may find another.
    pub fn passing(why: impl Into<String>) -> Self {
        Self { kind: Kind::Remote, why: why.into() }
    }
}

impl From<Error> for Unseen {
    fn from(error: Error) -> Self {
        let why = error.chain();
        let stop = if why.ends_with(['.', '…', '?']) { "" } else { "." };
        let why = error.hint_text().map_or_else(|| why.clone(), |hint| format!("{why}{stop} {hint}"));
        Self { kind: error.kind(), why }
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl<T> From<Result<T>> for Seen<T> {
    fn from(looked: Result<T>) -> Self {
        looked.map_or_else(|why| Self::Unknown(why.into()), Self::Known)
    }
}

impl<T> Seen<T> {
    /// The value, if known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(it) => Some(it),
            Self::Unknown(_) => None,
        }
    }

    /// The value, or the reason why not.
    pub fn as_result(&self) -> Result<&T, &Unseen> {
        match self {
            Self::Known(it) => Ok(it),
            Self::Unknown(why) => Err(why),
        }
    }
}

/// Everything seen in one look.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// When the look began.
    pub at: Timestamp,
    /// What the ledger's tip says.
    pub state: State,
    /// The sequence number of the ledger's tip; `None` before its first record.
    pub seq: Option<u64>,
    /// The overlays.
    pub overlays: BTreeMap<EnvName, Seen<OverlaySeen>>,
    /// The registry's tags, one listing for each repository.
    pub listings: BTreeMap<Repository, Seen<Listing>>,
    /// The app repository.
    pub app: Option<Seen<AppSeen>>,
    /// The builds of a release tag, by component, newest first.
    pub builds: BTreeMap<ComponentName, Seen<Vec<BuildSeen>>>,
    /// The digests of tags that were asked for one by one; `None` inside means that the registry has no such tag.
    pub digests: BTreeMap<(Repository, Tag), Seen<Option<Digest>>>,
    /// The Argo CD Applications.
    pub applications: BTreeMap<ApplicationName, Seen<ApplicationSeen>>,
    /// The workloads of the environment that is looked at; `None` inside means that there is no such Deployment.
    pub workloads: BTreeMap<String, Seen<Option<WorkloadSeen>>>,
    /// The answers of HTTP probes, by address.
    pub http: BTreeMap<String, Seen<HttpSeen>>,
    /// Whether the release page of the run is published.
    pub page: Option<Seen<Option<String>>>,
}

impl Sighting {
    /// A sighting of nothing but the ledger.
    pub fn of_ledger(at: Timestamp, state: State, seq: Option<u64>) -> Self {
        Self {
            at,
            state,
            seq,
            overlays: BTreeMap::new(),
            listings: BTreeMap::new(),
            app: None,
            builds: BTreeMap::new(),
            digests: BTreeMap::new(),
            applications: BTreeMap::new(),
            workloads: BTreeMap::new(),
            http: BTreeMap::new(),
            page: None,
        }
    }
}

/// An overlay's kustomization, as the branch holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct OverlaySeen {
    /// The tip of the branch it was read at.
    pub tip: CommitId,
    /// The kustomization file inside the repository.
    pub file: RepoPath,
    /// Its content.
    pub text: String,
    /// The newest commit of the branch that carries the open run's id, if there is one.
    pub ours: Option<CommitId>,
}

/// All tags of one registry repository.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The tags, in no particular order.
    pub tags: Vec<TaggedImage>,
    /// How many requests the listing took.
    pub requests: usize,
}

/// One tag of a registry repository, with what the listing tells about it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaggedImage {
    /// The tag.
    pub tag: Tag,
    /// The digest, where the registry's listing has it.
    pub digest: Option<Digest>,
    /// When the registry received the image, where the listing has it.
    pub uploaded: Option<Timestamp>,
}

/// The app repository: its branch, from the tip back, and its version tags.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppSeen {
    /// The branch.
    pub branch: Option<BranchName>,
    /// The commits reachable from the branch's tip, children before parents.
    pub history: Vec<HistoryCommit>,
    /// The version tags, all of them, also those elsewhere.
    pub tags: Vec<TagSeen>,
    /// Tags that look like version tags and are none: `v01.2.3`, or `v1.2.3` on something that is not a commit.
    pub lookalikes: Vec<String>,
    /// For a component and a commit: the git objects of its paths (`None` where a path is absent there).
    pub sources: BTreeMap<(ComponentName, CommitId), Vec<Option<ObjectId>>>,
    /// For a file at a commit: its text; `None` where it is absent there.
    pub files: BTreeMap<(CommitId, RepoPath), Option<String>>,
    /// The release commit that was asked for, as it was asked for, with the id it has or would have.
    pub release: Option<(NewRelease, CommitId)>,
    /// For a component: the commits between its image's commit and the release commit that changed its paths.
    pub unproved: BTreeMap<ComponentName, Vec<CommitId>>,
}

/// A commit of the app repository.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryCommit {
    /// Its id.
    pub id: CommitId,
    /// Its parents.
    pub parents: Vec<CommitId>,
    /// Its whole message.
    pub message: String,
}

/// A version tag of the app repository.
#[derive(Clone, Debug, PartialEq)]
pub struct TagSeen {
    /// Its name.
    pub name: String,
    /// The version it stands for.
    pub version: Version,
    /// The object the ref points to: the tag object of an annotated tag.
    pub object: ObjectId,
    /// The commit behind it.
    pub commit: CommitId,
    /// The name inside the tag object; `None` for a lightweight tag.
    pub header: Option<String>,
    /// Where the commit is a release commit: the commit it stands on, from which it differs in version files only.
    pub onto: Option<CommitId>,
}

impl TagSeen {
    /// Whether this tag releases a commit: it stands there, or at a release commit on top of it.
    pub fn releases(&self, commit: &CommitId) -> bool {
        self.commit == *commit || self.onto.as_ref() == Some(commit)
    }
}

/// A release commit as it is to be made: all that its id depends on, beside the pipeline's author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRelease {
    /// The tag it is made for.
    pub tag: String,
    /// Its only parent.
    pub onto: CommitId,
    /// What it changes.
    pub files: Vec<FileText>,
}

/// A build, whoever runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildSeen {
    /// Its id.
    pub id: String,
    /// How far it is.
    pub status: BuildStatus,
    /// What the builder says about it, if anything.
    pub detail: Option<String>,
    /// The page with its log.
    pub log_url: String,
    /// The commit it builds, where the builder says so.
    pub commit: Option<CommitId>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// The images it says it pushed: name without tag, and digest.
    pub images: Vec<(String, Digest)>,
}

/// How far a build is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildStatus {
    /// It waits for a person.
    Pending,
    /// It waits for a machine.
    Queued,
    /// It runs.
    Working,
    /// It succeeded.
    Succeeded,
    /// It ended otherwise; the word is the builder's.
    Failed(String),
    /// A word we do not know. Not an end.
    Other(String),
}

/// An Argo CD Application, as its object says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApplicationSeen {
    /// The object's resource version.
    pub resource_version: String,
    /// The value of the refresh annotation, while a refresh is asked for.
    pub refresh: Option<String>,
    /// Whether Argo CD is told to leave it alone: the annotation `argocd.argoproj.io/skip-reconcile`.
    pub skipped: bool,
    /// The repository, branch and path it follows.
    pub source: Option<(String, String, String)>,
    /// `status.sync.status`.
    pub sync: Option<String>,
    /// `status.sync.revision`: a commit, or a branch name when nothing could be compared.
    pub revision: Option<String>,
    /// `status.health.status`.
    pub health: Option<String>,
    /// `status.health.message`.
    pub health_message: Option<String>,
    /// `status.health.lastTransitionTime`.
    pub health_since: Option<Timestamp>,
    /// `status.reconciledAt`.
    pub reconciled_at: Option<Timestamp>,
    /// Whether `operation` is set: something is asked for or under way.
    pub operation_requested: bool,
    /// The revision that `operation` names.
    pub requested_revision: Option<String>,
    /// `status.operationState`.
    pub operation: Option<OperationSeen>,
    /// `status.conditions`.
    pub conditions: Vec<ConditionSeen>,
    /// Whether sync is automated.
    pub automated: bool,
    /// Whether what was changed in the cluster is put right again: `spec.syncPolicy.automated.selfHeal`.
    pub heals: bool,
    /// The images of its pods: `status.summary.images`.
    pub images: Vec<String>,
    /// The images that the Application itself puts in place of the overlay's: `kustomize.images` of its source.
    pub overrides: Vec<String>,
    /// The resources that are not as git has them, as `kind name`; those that git has no longer say so.
    pub out_of_sync: Vec<String>,
    /// How the observed revision relates to ours: filled in by the look, which has the git history.
    pub contains_ours: Option<bool>,
    /// Whether the overlay at the observed revision still holds our images; only asked where it is not our commit.
    pub holds_our_images: Option<bool>,
}

impl ApplicationSeen {
    /// Its conditions that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &ConditionSeen> {
        self.conditions.iter().filter(|it| it.is_error())
    }
}

/// An Argo CD operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperationSeen {
    /// `phase`: `Running`, `Terminating`, `Failed`, `Error`, `Succeeded`.
    pub phase: String,
    /// The revision it applies.
    pub revision: Option<String>,
    /// `message`.
    pub message: String,
    /// `startedAt`.
    pub started_at: Option<Timestamp>,
    /// `finishedAt`. Set while `Running`: it waits for its next try.
    pub finished_at: Option<Timestamp>,
    /// `retryCount`.
    pub retries: u64,
    /// The limit of retries.
    pub retry_limit: Option<i64>,
    /// `autoHealAttemptsCount`: tells two operations of one revision and one second apart.
    pub self_heals: u64,
}

/// A condition of an Application.
#[derive(Clone, Debug, PartialEq)]
pub struct ConditionSeen {
    /// `type`: `ComparisonError`, `SyncError`, …
    pub kind: String,
    /// `message`.
    pub message: String,
}

impl ConditionSeen {
    /// As Argo CD has it: warnings are not errors.
    pub fn is_error(&self) -> bool {
        self.kind.ends_with("Error")
    }
}

/// A Deployment, as its object says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkloadSeen {
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `spec.replicas`; `None` means 1 by default.
    pub desired: Option<i32>,
    /// `status.replicas`.
    pub replicas: i32,
    /// `status.updatedReplicas`.
    pub updated: i32,
    /// `status.availableReplicas`.
    pub available: i32,
    /// `spec.paused`.
    pub paused: bool,
    /// The images of its pod template, by container.
    pub images: Vec<String>,
    /// The images its new and ready pods really run (`imageID`: name and digest), where pods could be listed.
    pub running: Vec<String>,
    /// The `Progressing` condition's reason and message.
    pub progressing: Option<(String, String)>,
    /// What its pods wait for, such as `ImagePullBackOff`, with the message.
    pub waiting: Vec<String>,
}

/// The answer of one HTTP probe.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpSeen {
    /// The status.
    pub status: u16,
    /// The start of the body.
    pub body: String,
}
