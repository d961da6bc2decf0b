//! Plans, on the wire.

use serde::{Deserialize, Serialize};

use super::{all, maybe};
use crate::model;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Bump,
    Promotion,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::record) struct Plan {
    kind: Kind,
    environment: String,
    moves: Vec<Move>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<PlannedTag>,
    gates: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::record) struct Move {
    component: String,
    repository: String,
    from: Pin,
    tag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pin {
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlannedTag {
    name: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<Level>,
    commit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<ReleaseCommit>,
    exists: bool,
    brief: Brief,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::record) struct ReleaseCommit {
    onto: String,
    files: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Patch,
    Minor,
    Major,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Brief {
    commits: Vec<BriefCommit>,
    /// Only where the list was too long: what the whole of it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    whole: Option<Whole>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Whole {
    count: u64,
    sha256: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct BriefCommit {
    id: String,
    subject: String,
    class: String,
}

impl From<&model::Plan> for Plan {
    fn from(it: &model::Plan) -> Self {
        Self {
            kind: match it.kind {
                model::RunKind::Bump => Kind::Bump,
                model::RunKind::Promotion => Kind::Promotion,
            },
            environment: it.environment.to_string(),
            moves: it.moves.iter().map(Move::from).collect(),
            tag: it.tag.as_ref().map(PlannedTag::from),
            gates: it.gates.clone(),
            warnings: it.warnings.clone(),
        }
    }
}

impl TryFrom<Plan> for model::Plan {
    type Error = String;

    fn try_from(it: Plan) -> Result<Self, String> {
        Ok(Self {
            kind: match it.kind {
                Kind::Bump => model::RunKind::Bump,
                Kind::Promotion => model::RunKind::Promotion,
            },
            environment: model::EnvName::parse(&it.environment)?,
            moves: all(it.moves)?,
            tag: it.tag.map(model::PlannedTag::try_from).transpose()?,
            gates: it.gates,
            warnings: it.warnings,
        })
    }
}

impl From<&model::ImageMove> for Move {
    fn from(it: &model::ImageMove) -> Self {
        Self {
            component: it.component.to_string(),
            repository: it.repository.to_string(),
            from: Pin { tag: it.from.tag.clone(), digest: it.from.digest.clone() },
            tag: it.tag.to_string(),
            digest: it.digest.as_ref().map(ToString::to_string),
            commit: it.commit.as_ref().map(ToString::to_string),
        }
    }
}

impl TryFrom<Move> for model::ImageMove {
    type Error = String;

    fn try_from(it: Move) -> Result<Self, String> {
        Ok(Self {
            component: model::ComponentName::parse(&it.component)?,
            repository: model::Repository::parse(&it.repository)?,
            from: model::Pin { tag: it.from.tag, digest: it.from.digest },
            tag: model::Tag::parse(&it.tag)?,
            digest: maybe(it.digest, model::Digest::parse)?,
            commit: maybe(it.commit, model::CommitId::parse)?,
        })
    }
}

impl From<&model::PlannedTag> for PlannedTag {
    fn from(it: &model::PlannedTag) -> Self {
        let commits = it.brief.commits.iter();
        Self {
            name: it.name.clone(),
            version: it.version.to_string(),
            previous: it.previous.as_ref().map(ToString::to_string),
            level: it.level.map(|level| match level {
                model::Level::Patch => Level::Patch,
                model::Level::Minor => Level::Minor,
                model::Level::Major => Level::Major,
            }),
            commit: it.commit.to_string(),
            release: it.release.as_ref().map(ReleaseCommit::from),
            exists: it.exists,
            brief: Brief {
                commits: commits
                    .map(|it| BriefCommit { id: it.id.to_string(), subject: it.subject.clone(), class: it.class.clone() })
                    .collect(),
                whole: it.brief.cut.as_ref().map(|it| Whole { count: it.count as u64, sha256: it.sha256.clone() }),
            },
        }
    }
}

impl TryFrom<PlannedTag> for model::PlannedTag {
    type Error = String;

    fn try_from(it: PlannedTag) -> Result<Self, String> {
        let cut = |it: Whole| {
            let count = usize::try_from(it.count).map_err(|_| format!("A brief of {} commits is not to be believed.", it.count))?;
            Ok::<_, String>(model::BriefCut { count, sha256: it.sha256 })
        };
        Ok(Self {
            name: it.name,
            version: model::Version::parse(&it.version)?,
            previous: maybe(it.previous, model::Version::parse)?,
            level: it.level.map(|level| match level {
                Level::Patch => model::Level::Patch,
                Level::Minor => model::Level::Minor,
                Level::Major => model::Level::Major,
            }),
            commit: model::CommitId::parse(&it.commit)?,
            release: it.release.map(model::ReleaseCommit::try_from).transpose()?,
            exists: it.exists,
            brief: model::Brief { commits: all(it.brief.commits)?, cut: it.brief.whole.map(cut).transpose()? },
        })
    }
}

impl From<&model::ReleaseCommit> for ReleaseCommit {
    fn from(it: &model::ReleaseCommit) -> Self {
        Self {
            onto: it.onto.to_string(),
            files: it.files.iter().map(ToString::to_string).collect(),
            replaces: it.replaces.as_ref().map(ToString::to_string),
        }
    }
}

impl TryFrom<ReleaseCommit> for model::ReleaseCommit {
    type Error = String;

    fn try_from(it: ReleaseCommit) -> Result<Self, String> {
        Ok(Self {
            onto: model::CommitId::parse(&it.onto)?,
            files: it.files.iter().map(|it| model::RepoPath::parse(it)).collect::<Result<_, _>>()?,
            replaces: maybe(it.replaces, model::Version::parse)?,
        })
    }
}

impl TryFrom<BriefCommit> for model::BriefCommit {
    type Error = String;

    fn try_from(it: BriefCommit) -> Result<Self, String> {
        Ok(Self { id: model::CommitId::parse(&it.id)?, subject: it.subject, class: it.class })
    }
}
