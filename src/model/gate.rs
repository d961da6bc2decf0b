//! Gates: one question about the outside each, the answers, and what was seen.

use std::time::Duration;

use super::ApplicationName;

/// A gate as the pipeline asks for it.
#[derive(Clone, Debug, PartialEq)]
pub enum GateSpec {
    /// Argo CD compared our commit, applied it, and calls the result healthy.
    ArgoCd {
        /// The Application.
        application: ApplicationName,
        /// The namespace the Application object lives in.
        namespace: String,
        /// How long it may take.
        within: Duration,
    },
    /// Every workload runs the expected image, all replicas of it.
    Rollout {
        /// How long it may take.
        within: Duration,
    },
    /// An address answers as it should.
    Http(HttpGate),
    /// All gates before this one stayed ready for a while; a lapse starts the time anew.
    Soak {
        /// How long.
        period: Duration,
    },
}

impl GateSpec {
    /// The gate's name in the ledger and on the screen; unique within an environment together with its position.
    pub fn title(&self) -> String {
        match self {
            Self::ArgoCd { application, .. } => format!("argocd {application}"),
            Self::Rollout { .. } => "rollout".to_owned(),
            Self::Http(gate) => format!("http {}", gate.url),
            Self::Soak { period } => format!("soak {}s", period.as_secs()),
        }
    }

    /// How long the gate may take before not being ready counts as failed.
    pub fn within(&self) -> Duration {
        match self {
            Self::ArgoCd { within, .. } | Self::Rollout { within } => *within,
            Self::Http(gate) => gate.within,
            // A soak ends by itself; the slack lets lapses of the gates before it heal.
            Self::Soak { period } => *period * 2 + Duration::from_secs(60),
        }
    }
}

/// An address and the answer it should give.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpGate {
    /// The address.
    pub url: String,
    /// The status that is expected.
    pub status: u16,
    /// JSON pointers and the text each must have; `{tag}`, `{version}`, `{commit}` and `{digest}` stand for the component's.
    pub json: Vec<(String, String)>,
    /// The component whose values the placeholders take; the first one when not given.
    pub component: Option<super::ComponentName>,
    /// How long it may take to become true.
    pub within: Duration,
}

/// Something to ask of the outside so that a gate can be answered. Asking changes nothing that anyone wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Have Argo CD compare this Application now.
    Refresh {
        /// The Application.
        application: ApplicationName,
        /// Its namespace.
        namespace: String,
        /// Its resource version as seen: the request is only valid while nobody else changed it.
        resource_version: String,
    },
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It is asked for; the resource version that the object has since then.
    Set {
        /// The resource version.
        resource_version: String,
    },
    /// Somebody else changed the object first: look again.
    Lost,
    /// We may not ask, and will not be allowed to by asking again.
    Refused {
        /// Why, as a sentence.
        why: String,
    },
}

/// A gate's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, with what proves it.
    Ready(Evidence),
    /// Not yet.
    Waiting {
        /// What it waits for, as a sentence.
        why: String,
        /// What to ask for so that it can be answered.
        ask: Option<Ask>,
    },
    /// Nothing of ours is wrong, but something else stands in the way and may undo what is live.
    Blocked {
        /// What stands in the way, its error and its remedy.
        why: String,
    },
    /// No, and waiting does not help.
    Failed {
        /// What is wrong, as a sentence.
        why: String,
    },
    /// A later commit replaced ours.
    Superseded {
        /// By what.
        by: String,
    },
    /// It could not be seen. Never a yes, never a no.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// What was seen when a gate said yes: stable for the same observation, so that looking twice is not a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Facts, in the order a person would tell them.
    pub facts: Vec<(String, String)>,
}

impl Evidence {
    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.push((name.to_owned(), value.into()));
        self
    }
}
