//! Steps and what came of them, on the wire.

use serde::{Deserialize, Serialize};

use super::plan::{Move, ReleaseCommit};
use super::{all, maybe};
use crate::model;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(in crate::record) enum Step {
    WriteOverlay {
        run: String,
        environment: String,
        overlay: String,
        moves: Vec<Move>,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    CutTag {
        run: String,
        name: String,
        version: String,
        commit: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        release: Option<ReleaseCommit>,
        message: String,
        /// Seconds since the epoch, as git writes them.
        time: i64,
    },
    AdvanceBranch {
        run: String,
        tag: String,
        commit: String,
        onto: String,
    },
    PublishPage {
        run: String,
        tag: String,
        body: String,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub(in crate::record) enum Outcome {
    Landed {
        #[serde(skip_serializing_if = "Option::is_none")]
        object: Option<String>,
        reference: String,
        adopted: bool,
    },
    Refused {
        why: String,
    },
}

impl From<&model::Step> for Step {
    fn from(it: &model::Step) -> Self {
        match it {
            model::Step::WriteOverlay(it) => Self::WriteOverlay {
                run: it.run.to_string(),
                environment: it.environment.to_string(),
                overlay: it.overlay.to_string(),
                moves: it.moves.iter().map(Move::from).collect(),
                version: it.version.as_ref().map(ToString::to_string),
            },
            model::Step::CutTag(it) => Self::CutTag {
                run: it.run.to_string(),
                name: it.name.clone(),
                version: it.version.to_string(),
                commit: it.commit.to_string(),
                release: it.release.as_ref().map(ReleaseCommit::from),
                message: it.message.clone(),
                time: it.time,
            },
            model::Step::AdvanceBranch(it) => Self::AdvanceBranch {
                run: it.run.to_string(),
                tag: it.tag.clone(),
                commit: it.commit.to_string(),
                onto: it.onto.to_string(),
            },
            model::Step::PublishPage(it) => Self::PublishPage { run: it.run.to_string(), tag: it.tag.clone(), body: it.body.clone() },
        }
    }
}

impl TryFrom<Step> for model::Step {
    type Error = String;

    fn try_from(it: Step) -> Result<Self, String> {
        Ok(match it {
            Step::WriteOverlay { run, environment, overlay, moves, version } => Self::WriteOverlay(model::OverlayWrite {
                run: model::RunId::parse(&run)?,
                environment: model::EnvName::parse(&environment)?,
                overlay: model::RepoPath::parse(&overlay)?,
                moves: all(moves)?,
                version: maybe(version, model::Version::parse)?,
            }),
            Step::CutTag { run, name, version, commit, release, message, time } => Self::CutTag(model::TagCut {
                run: model::RunId::parse(&run)?,
                name,
                version: model::Version::parse(&version)?,
                commit: model::CommitId::parse(&commit)?,
                release: release.map(model::ReleaseCommit::try_from).transpose()?,
                message,
                time,
            }),
            Step::AdvanceBranch { run, tag, commit, onto } => Self::AdvanceBranch(model::BranchAdvance {
                run: model::RunId::parse(&run)?,
                tag,
                commit: model::CommitId::parse(&commit)?,
                onto: model::CommitId::parse(&onto)?,
            }),
            Step::PublishPage { run, tag, body } => Self::PublishPage(model::PageWrite { run: model::RunId::parse(&run)?, tag, body }),
        })
    }
}

impl From<&model::Outcome> for Outcome {
    fn from(it: &model::Outcome) -> Self {
        match it {
            model::Outcome::Landed { object, reference, adopted } => {
                Self::Landed { object: object.as_ref().map(ToString::to_string), reference: reference.clone(), adopted: *adopted }
            }
            model::Outcome::Refused { why } => Self::Refused { why: why.clone() },
        }
    }
}

impl TryFrom<Outcome> for model::Outcome {
    type Error = String;

    fn try_from(it: Outcome) -> Result<Self, String> {
        Ok(match it {
            Outcome::Landed { object, reference, adopted } => {
                Self::Landed { object: maybe(object, model::ObjectId::parse)?, reference, adopted }
            }
            Outcome::Refused { why } => Self::Refused { why },
        })
    }
}
