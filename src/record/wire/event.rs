//! Events, on the wire.

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::state::{Fact, Proved, evidence, facts};
use super::step::{Outcome, Step};
use super::{all, maybe};
use crate::model;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "one lives as long as it takes to read or write it")]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub(in crate::record) enum Event {
    #[serde(rename = "genesis")]
    Genesis {},
    #[serde(rename = "run.opened")]
    Opened {
        run: String,
        plan: Plan,
        #[serde(skip_serializing_if = "Option::is_none")]
        first: Option<Step>,
    },
    #[serde(rename = "step.intended")]
    Intended { run: String, step: Step },
    #[serde(rename = "step.done")]
    Did { run: String, outcome: Outcome },
    #[serde(rename = "build.observed")]
    Built { run: String, builds: Vec<Built> },
    #[serde(rename = "gate.passed")]
    Passed { run: String, position: u64, gate: String, evidence: Vec<Fact> },
    #[serde(rename = "run.completed")]
    Completed { run: String, proved: Proved },
    #[serde(rename = "run.failed")]
    Failed { run: String, why: String },
    #[serde(rename = "run.superseded")]
    Superseded { run: String, by: String },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::record) struct Built {
    component: String,
    id: String,
    log_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    digest: String,
}

impl From<&model::Event> for Event {
    fn from(it: &model::Event) -> Self {
        use model::Event as It;
        match it {
            It::Genesis => Self::Genesis {},
            It::Opened { run, plan, first } => {
                Self::Opened { run: run.to_string(), plan: plan.into(), first: first.as_ref().map(Step::from) }
            }
            It::Intended { run, step } => Self::Intended { run: run.to_string(), step: step.into() },
            It::Did { run, outcome } => Self::Did { run: run.to_string(), outcome: outcome.into() },
            It::Built { run, builds } => Self::Built { run: run.to_string(), builds: builds.iter().map(Built::from).collect() },
            It::Passed { run, position, gate, evidence } => {
                Self::Passed { run: run.to_string(), position: *position as u64, gate: gate.clone(), evidence: facts(evidence) }
            }
            It::Completed { run, proved } => Self::Completed { run: run.to_string(), proved: proved.into() },
            It::Failed { run, why } => Self::Failed { run: run.to_string(), why: why.clone() },
            It::Superseded { run, by } => Self::Superseded { run: run.to_string(), by: by.clone() },
        }
    }
}

impl TryFrom<Event> for model::Event {
    type Error = String;

    fn try_from(it: Event) -> Result<Self, String> {
        let id = |run: String| model::RunId::parse(&run);
        Ok(match it {
            Event::Genesis {} => Self::Genesis,
            Event::Opened { run, plan, first } => {
                Self::Opened { run: id(run)?, plan: plan.try_into()?, first: first.map(model::Step::try_from).transpose()? }
            }
            Event::Intended { run, step } => Self::Intended { run: id(run)?, step: step.try_into()? },
            Event::Did { run, outcome } => Self::Did { run: id(run)?, outcome: outcome.try_into()? },
            Event::Built { run, builds } => Self::Built { run: id(run)?, builds: all(builds)? },
            Event::Passed { run, position, gate, evidence: facts } => {
                let position = usize::try_from(position).map_err(|_| format!("There is no gate number {position}."))?;
                Self::Passed { run: id(run)?, position, gate, evidence: evidence(facts) }
            }
            Event::Completed { run, proved } => Self::Completed { run: id(run)?, proved: proved.try_into()? },
            Event::Failed { run, why } => Self::Failed { run: id(run)?, why },
            Event::Superseded { run, by } => Self::Superseded { run: id(run)?, by },
        })
    }
}

impl From<&model::Built> for Built {
    fn from(it: &model::Built) -> Self {
        Self {
            component: it.component.to_string(),
            id: it.id.clone(),
            log_url: it.log_url.clone(),
            commit: it.commit.as_ref().map(ToString::to_string),
            digest: it.digest.to_string(),
        }
    }
}

impl TryFrom<Built> for model::Built {
    type Error = String;

    fn try_from(it: Built) -> Result<Self, String> {
        Ok(Self {
            component: model::ComponentName::parse(&it.component)?,
            id: it.id,
            log_url: it.log_url,
            commit: maybe(it.commit, model::CommitId::parse)?,
            digest: model::Digest::parse(&it.digest)?,
        })
    }
}
