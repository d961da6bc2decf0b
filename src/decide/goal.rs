//! Goals and decisions: what a command wants, and what is to be done next.

use crate::model::{EnvName, Event, Outcome, Plan, Proved, RunId, Step, Tag, Work};

use super::Wants;

/// What a command wants of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Move it to its newest candidate.
    Bump {
        /// The environment.
        environment: EnvName,
        /// Wait until the registry offers this tag.
        wait_for: Option<Tag>,
    },
    /// Move it to a release cut from what the environment before it proved.
    Promote {
        /// The environment.
        environment: EnvName,
    },
}

impl Goal {
    /// The environment that is to move.
    pub fn environment(&self) -> &EnvName {
        match self {
            Self::Bump { environment, .. } | Self::Promote { environment } => environment,
        }
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Look again, at this.
    Look(Wants),
    /// Open a run; its first write is announced with it.
    Open {
        /// The run's id.
        run: RunId,
        /// What it is going to do.
        plan: Plan,
        /// The first write.
        first: Option<Step>,
    },
    /// Announce a write, after telling what led to it.
    Announce {
        /// What led to it.
        first: Vec<Event>,
        /// The write.
        step: Step,
    },
    /// Do the announced write.
    Act(Work),
    /// The announced write is settled already: by us before we died, or by someone else.
    Adopt(Outcome),
    /// Look at the gates, and judge.
    Judge(Wants),
    /// Close the run: the environment proved this.
    Complete(Proved),
    /// Close the run: it cannot go on.
    Fail(String),
    /// Something outside is not there yet.
    Wait {
        /// What is waited for.
        what: String,
        /// Why it is not there yet.
        why: String,
        /// What to look at next.
        wants: Wants,
        /// How long this may go on, counted from when this process began to wait, and what to say then.
        within: std::time::Duration,
        /// What to say when the time is over.
        otherwise: String,
    },
    /// There is nothing to do, and why.
    Nothing(String),
}
