//! The state a record leaves, on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::step::{Outcome, Step};
use super::{all, maybe, time_of, time_text};
use crate::model;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::record) struct State {
    open: BTreeMap<String, OpenRun>,
    proved: BTreeMap<String, Proved>,
    holds: BTreeMap<String, Hold>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OpenRun {
    run: String,
    plan: Plan,
    opened: String,
    by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    intended: Option<Step>,
    done: Vec<Done>,
    passed: Vec<Passed>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Done {
    step: Step,
    outcome: Outcome,
    at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Passed {
    gate: String,
    evidence: Vec<Fact>,
    at: String,
}

/// One fact of an evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::record) struct Fact {
    name: String,
    value: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::record) struct Proved {
    run: String,
    at: String,
    commit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    images: Vec<ProvedImage>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ProvedImage {
    component: String,
    repository: String,
    tag: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Hold {
    why: String,
    by: String,
    since: String,
}

impl From<&model::State> for State {
    fn from(it: &model::State) -> Self {
        Self {
            open: it.open.iter().map(|(name, it)| (name.to_string(), it.into())).collect(),
            proved: it.proved.iter().map(|(name, it)| (name.to_string(), it.into())).collect(),
            holds: it.holds.iter().map(|(name, it)| (name.to_string(), it.into())).collect(),
        }
    }
}

impl TryFrom<State> for model::State {
    type Error = String;

    fn try_from(it: State) -> Result<Self, String> {
        Ok(Self { open: by_environment(it.open)?, proved: by_environment(it.proved)?, holds: by_environment(it.holds)? })
    }
}

fn by_environment<W, M>(items: BTreeMap<String, W>) -> Result<BTreeMap<model::EnvName, M>, String>
where
    M: TryFrom<W, Error = String>,
{
    items.into_iter().map(|(name, it)| Ok((model::EnvName::parse(&name)?, M::try_from(it)?))).collect()
}

impl From<&model::OpenRun> for OpenRun {
    fn from(it: &model::OpenRun) -> Self {
        let done = |it: &model::Done| Done { step: (&it.step).into(), outcome: (&it.outcome).into(), at: time_text(it.at) };
        let passed = |it: &model::Passed| Passed { gate: it.gate.clone(), evidence: facts(&it.evidence), at: time_text(it.at) };
        Self {
            run: it.id.to_string(),
            plan: (&it.plan).into(),
            opened: time_text(it.opened),
            by: it.by.clone(),
            intended: it.intended.as_ref().map(Step::from),
            done: it.done.iter().map(done).collect(),
            passed: it.passed.iter().map(passed).collect(),
        }
    }
}

impl TryFrom<OpenRun> for model::OpenRun {
    type Error = String;

    fn try_from(it: OpenRun) -> Result<Self, String> {
        Ok(Self {
            id: model::RunId::parse(&it.run)?,
            plan: it.plan.try_into()?,
            opened: time_of(&it.opened)?,
            by: it.by,
            intended: it.intended.map(model::Step::try_from).transpose()?,
            done: all(it.done)?,
            passed: all(it.passed)?,
        })
    }
}

impl TryFrom<Done> for model::Done {
    type Error = String;

    fn try_from(it: Done) -> Result<Self, String> {
        Ok(Self { step: it.step.try_into()?, outcome: it.outcome.try_into()?, at: time_of(&it.at)? })
    }
}

impl TryFrom<Passed> for model::Passed {
    type Error = String;

    fn try_from(it: Passed) -> Result<Self, String> {
        Ok(Self { gate: it.gate, evidence: evidence(it.evidence), at: time_of(&it.at)? })
    }
}

/// An evidence's facts.
pub(super) fn facts(it: &model::Evidence) -> Vec<Fact> {
    it.facts.iter().map(|(name, value)| Fact { name: name.clone(), value: value.clone() }).collect()
}

/// The evidence of these facts.
pub(super) fn evidence(facts: Vec<Fact>) -> model::Evidence {
    model::Evidence { facts: facts.into_iter().map(|it| (it.name, it.value)).collect() }
}

impl From<&model::Proved> for Proved {
    fn from(it: &model::Proved) -> Self {
        let image = |it: &model::ProvedImage| ProvedImage {
            component: it.component.to_string(),
            repository: it.repository.to_string(),
            tag: it.tag.to_string(),
            digest: it.digest.to_string(),
            commit: it.commit.as_ref().map(ToString::to_string),
        };
        Self {
            run: it.run.to_string(),
            at: time_text(it.at),
            commit: it.commit.to_string(),
            version: it.version.as_ref().map(ToString::to_string),
            images: it.images.iter().map(image).collect(),
        }
    }
}

impl TryFrom<Proved> for model::Proved {
    type Error = String;

    fn try_from(it: Proved) -> Result<Self, String> {
        Ok(Self {
            run: model::RunId::parse(&it.run)?,
            at: time_of(&it.at)?,
            commit: model::CommitId::parse(&it.commit)?,
            version: maybe(it.version, model::Version::parse)?,
            images: all(it.images)?,
        })
    }
}

impl TryFrom<ProvedImage> for model::ProvedImage {
    type Error = String;

    fn try_from(it: ProvedImage) -> Result<Self, String> {
        Ok(Self {
            component: model::ComponentName::parse(&it.component)?,
            repository: model::Repository::parse(&it.repository)?,
            tag: model::Tag::parse(&it.tag)?,
            digest: model::Digest::parse(&it.digest)?,
            commit: maybe(it.commit, model::CommitId::parse)?,
        })
    }
}

impl From<&model::Hold> for Hold {
    fn from(it: &model::Hold) -> Self {
        Self { why: it.why.clone(), by: it.by.clone(), since: time_text(it.since) }
    }
}

impl TryFrom<Hold> for model::Hold {
    type Error = String;

    fn try_from(it: Hold) -> Result<Self, String> {
        Ok(Self { why: it.why, by: it.by, since: time_of(&it.since)? })
    }
}
