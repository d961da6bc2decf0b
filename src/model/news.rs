//! News: what the loop tells while it works, and how it ended. For people and for programs that watch.

use super::{Evidence, Outcome, Plan, Proved, RunId, StepKey};

/// Something worth telling.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A run was opened.
    Opened {
        /// Its id.
        run: RunId,
        /// What it is going to do.
        plan: Plan,
    },
    /// A run that was left open is taken up again.
    Resumed {
        /// Its id.
        run: RunId,
        /// What it is going to do.
        plan: Plan,
    },
    /// A write begins.
    Acting(StepKey),
    /// A write is settled.
    Settled(StepKey, Outcome),
    /// Something is waited for: told whenever the reason changes.
    Waiting {
        /// What asks: a gate's title, a build.
        what: String,
        /// Why it is not there yet.
        why: String,
    },
    /// A gate said yes.
    Passed {
        /// Its title.
        gate: String,
        /// What was seen.
        evidence: Evidence,
    },
}

/// How a run, or the attempt to open one, ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// The environment proved this.
    Completed(Proved),
    /// There was nothing to do, and why.
    Nothing(String),
    /// A later change overtook the run.
    Superseded {
        /// The run.
        run: RunId,
        /// By what.
        by: String,
    },
    /// The plan, when only planning was asked for.
    Planned(Box<Planned>),
}

/// A plan that could be opened now.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Its hash: what an approval is bound to.
    pub hash: String,
    /// The run that carries it out already, if it is open.
    pub open: Option<RunId>,
}
