//! Runs and the state they leave: what the tip of the ledger says, whole.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::{CommitId, ComponentName, Digest, EnvName, Evidence, Outcome, Plan, Repository, Step, StepKey, Tag, Version};

/// A run's id: derived from what it does, so that the same intent is the same run before and after a crash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// Accepts what [`fmt::Display`] prints: letters, digits, `.`, `-`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fine = !text.is_empty() && text.len() <= 200 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        if fine { Ok(Self(text.to_owned())) } else { Err(format!("“{text}” is not a run id.")) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunKind {
    /// An environment moves to its newest candidate.
    Bump,
    /// An environment moves to a release cut from what another proved.
    Promotion,
}

impl fmt::Display for RunKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bump => "bump",
            Self::Promotion => "promotion",
        })
    }
}

/// What the ledger adds up to. Every record carries it, so the tip alone is enough to act.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The open run of each environment: at most one.
    pub open: BTreeMap<EnvName, OpenRun>,
    /// What each environment proved last.
    pub proved: BTreeMap<EnvName, Proved>,
    /// The holds.
    pub holds: BTreeMap<EnvName, Hold>,
}

/// A run under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRun {
    /// Its id.
    pub id: RunId,
    /// What it is going to do.
    pub plan: Plan,
    /// When it was opened.
    pub opened: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// The write that was announced and of which nothing is known yet.
    pub intended: Option<Step>,
    /// The writes that are done.
    pub done: Vec<Done>,
    /// The gates that said yes, in order.
    pub passed: Vec<Passed>,
}

impl OpenRun {
    /// What came of a step, if it is done.
    pub fn outcome(&self, key: StepKey) -> Option<&Done> {
        self.done.iter().find(|it| it.step.key() == key)
    }

    /// Whether the gate of this position said yes.
    pub fn has_passed(&self, position: usize) -> bool {
        self.passed.len() > position
    }
}

/// A write that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The write.
    pub step: Step,
    /// What came of it.
    pub outcome: Outcome,
    /// When its outcome was recorded.
    pub at: Timestamp,
}

/// A gate that said yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its title.
    pub gate: String,
    /// What was seen.
    pub evidence: Evidence,
    /// When.
    pub at: Timestamp,
}

/// What an environment proved: these images ran there and every gate said yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The run that proved it.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
    /// The commit of the config repository that held them.
    pub commit: CommitId,
    /// The version, for a release.
    pub version: Option<Version>,
    /// The images.
    pub images: Vec<ProvedImage>,
}

/// An image that was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedImage {
    /// The component.
    pub component: ComponentName,
    /// Its image in that environment.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
    /// The digest.
    pub digest: Digest,
    /// The commit it was built from, where known.
    pub commit: Option<CommitId>,
}

/// "Do not move this environment."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub why: String,
    /// Who set it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}
