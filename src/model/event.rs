//! Events: everything the ledger can say.

use super::{CommitId, ComponentName, Digest, Evidence, OpenRun, Outcome, Plan, Proved, RunId, Step};

/// Something that happened, as one record tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a handful exist at a time")]
pub enum Event {
    /// The ledger begins.
    Genesis,
    /// A run is opened. Its first write, if it has one, is announced with it: one record less on the way to production.
    Opened {
        /// The run's id.
        run: RunId,
        /// What it is going to do.
        plan: Plan,
        /// The first write.
        first: Option<Step>,
    },
    /// A write is going to be done.
    Intended {
        /// The run.
        run: RunId,
        /// The write.
        step: Step,
    },
    /// The write that was announced came out like this.
    Did {
        /// The run.
        run: RunId,
        /// What came of it.
        outcome: Outcome,
    },
    /// The builds of a release succeeded, and the registry has what they say they pushed.
    Built {
        /// The run.
        run: RunId,
        /// One for each component.
        builds: Vec<Built>,
    },
    /// A gate said yes.
    Passed {
        /// The run.
        run: RunId,
        /// The gate's position among the environment's gates.
        position: usize,
        /// Its title.
        gate: String,
        /// What was seen.
        evidence: Evidence,
    },
    /// A run ended well: the environment proved this.
    Completed {
        /// The run.
        run: RunId,
        /// What was proved.
        proved: Proved,
    },
    /// A run ended badly.
    Failed {
        /// The run.
        run: RunId,
        /// Why, as a sentence.
        why: String,
    },
    /// A run was overtaken by a later change.
    Superseded {
        /// The run.
        run: RunId,
        /// By what.
        by: String,
    },
}

impl Event {
    /// The event's name in the ledger.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Opened { .. } => "run.opened",
            Self::Intended { .. } => "step.intended",
            Self::Did { .. } => "step.done",
            Self::Built { .. } => "build.observed",
            Self::Passed { .. } => "gate.passed",
            Self::Completed { .. } => "run.completed",
            Self::Failed { .. } => "run.failed",
            Self::Superseded { .. } => "run.superseded",
        }
    }

    /// The run it belongs to.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Self::Genesis => None,
            Self::Opened { run, .. }
            | Self::Intended { run, .. }
            | Self::Did { run, .. }
            | Self::Built { run, .. }
            | Self::Passed { run, .. }
            | Self::Completed { run, .. }
            | Self::Failed { run, .. }
            | Self::Superseded { run, .. } => Some(run),
        }
    }
}

/// A build that succeeded, as builder and registry agree on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The component.
    pub component: ComponentName,
    /// The build's id.
    pub id: String,
    /// The page with its log.
    pub log_url: String,
    /// The commit it built, where the builder says so.
    pub commit: Option<CommitId>,
    /// The image's digest.
    pub digest: Digest,
}

/// Who did it: a person or a machine, as far as we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who asked: `github:alice`, `git:alice@example.com`, `user:alice`.
    pub initiator: String,
    /// What carried it out: a host and process, or a CI run's address.
    pub executor: String,
}

impl OpenRun {
    /// The environment this run moves.
    pub fn environment(&self) -> &super::EnvName {
        &self.plan.environment
    }
}
