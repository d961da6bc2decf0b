//! One build, and how Cloud Build writes it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::trigger::Trigger;
use super::wire::{Encoding, EnumNames};

/// The project, by its id and by its number: Google answers with either.
pub(super) const PROJECT: &str = "development-485000";
pub(super) const PROJECT_NUMBER: &str = "287267207777";
pub(super) const LOCATION: &str = "asia-east1";

const STATUSES: EnumNames = &[
    ("PENDING", 10),
    ("QUEUED", 1),
    ("WORKING", 2),
    ("SUCCESS", 3),
    ("FAILURE", 4),
    ("INTERNAL_ERROR", 5),
    ("TIMEOUT", 6),
    ("CANCELLED", 7),
    ("EXPIRED", 9),
];
const APPROVALS: EnumNames = &[("PENDING", 1), ("APPROVED", 2), ("REJECTED", 3), ("CANCELLED", 5)];
const DECISIONS: EnumNames = &[("APPROVED", 1), ("REJECTED", 2)];
const FAILURES: EnumNames = &[("PUSH_FAILED", 1), ("USER_BUILD_STEP", 5), ("FETCH_SOURCE_FAILED", 6)];
const LOGGINGS: EnumNames = &[("LEGACY", 1), ("GCS_ONLY", 2), ("NONE", 4), ("CLOUD_LOGGING_ONLY", 5)];

/// Where a build is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Created, waits for approval.
    Pending,
    /// Waits for a worker.
    Queued,
    /// Runs.
    Working,
    /// Ended well.
    Success,
    /// Ended badly.
    Failure,
    /// Google's fault.
    InternalError,
    /// Took too long.
    Timeout,
    /// Somebody cancelled it.
    Cancelled,
    /// Was in the queue too long.
    Expired,
}

impl Status {
    /// As Cloud Build spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Queued => "QUEUED",
            Self::Working => "WORKING",
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::InternalError => "INTERNAL_ERROR",
            Self::Timeout => "TIMEOUT",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
        }
    }

    /// Whether nothing comes after it.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Queued | Self::Working)
    }

    pub(super) fn is_known(name: &str) -> bool {
        STATUSES.iter().any(|(it, _)| *it == name)
    }
}

/// What a person (or the rehearsal for them) said to a build that waits.
#[derive(Clone, Debug)]
pub(super) struct Approval {
    pub(super) state: &'static str,
    pub(super) at: Option<Timestamp>,
    pub(super) comment: String,
    pub(super) url: String,
}

/// One build.
#[derive(Clone, Debug)]
pub(super) struct Build {
    pub(super) id: String,
    pub(super) trigger: Trigger,
    pub(super) status: Status,
    pub(super) created: Timestamp,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
    pub(super) source_url: String,
    pub(super) commit: String,
    /// All of them, as the service resolved them.
    pub(super) substitutions: BTreeMap<String, String>,
    /// The steps and options of the build file, with substitutions in place.
    pub(super) steps: Value,
    pub(super) logging: String,
    pub(super) images: Vec<String>,
    /// Name and digest of what was pushed.
    pub(super) results: Vec<(String, String)>,
    pub(super) approval: Option<Approval>,
    pub(super) failure: Option<(&'static str, String)>,
}

impl Build {
    pub(super) fn log_url(&self) -> String {
        format!("https://console.cloud.google.com/cloud-build/builds;region={LOCATION}/{}?project={PROJECT_NUMBER}", self.id)
    }

    /// The build as the service writes it.
    pub(super) fn json(&self, encoding: Encoding) -> Value {
        let status = encoding.write(STATUSES, self.status.name());
        let mut build = json!({
            "name": format!("projects/{PROJECT_NUMBER}/locations/{LOCATION}/builds/{}", self.id),
            "id": self.id,
            "projectId": PROJECT,
            "status": status,
            "source": {"gitSource": {"url": self.source_url, "revision": self.commit}},
            "sourceProvenance": {"resolvedGitSource": {"url": self.source_url, "revision": self.commit}},
            "createTime": time(self.created),
            "steps": self.steps,
            "timeout": "600s",
            "queueTtl": "3600s",
            "images": self.images,
            "artifacts": {"images": self.images},
            "options": {"logging": encoding.write(LOGGINGS, &self.logging), "pool": {}, "dynamicSubstitutions": true},
            "substitutions": self.substitutions,
            "buildTriggerId": self.trigger.id,
            "tags": [format!("trigger-{}", self.trigger.id)],
            "logUrl": self.log_url(),
            "serviceAccount": format!("projects/{PROJECT}/serviceAccounts/cloud-build@{PROJECT}.iam.gserviceaccount.com"),
        });
        if let Some(started) = self.started {
            build["startTime"] = time(started);
        }
        if let Some(finished) = self.finished {
            build["finishTime"] = time(finished);
            self.finish(&mut build, encoding);
        }
        if let Some(approval) = &self.approval {
            build["approval"] = approval.json(encoding);
        }
        build
    }

    /// What is only known when a build has ended.
    fn finish(&self, build: &mut Value, encoding: Encoding) {
        let span = json!({"startTime": self.started.map(time), "endTime": self.finished.map(time)});
        if self.started.is_some() {
            for step in build["steps"].as_array_mut().into_iter().flatten() {
                step["status"] = encoding.write(STATUSES, self.status.name());
                step["timing"] = span.clone();
            }
            build["timing"] = json!({"BUILD": span, "FETCHSOURCE": span});
        }
        if let Some((kind, detail)) = &self.failure {
            build["failureInfo"] = json!({"type": encoding.write(FAILURES, kind), "detail": detail});
            build["statusDetail"] = json!(detail);
        }
        if !self.results.is_empty() {
            let images = self.results.iter().map(|(name, digest)| json!({"name": name, "digest": digest, "pushTiming": span}));
            build["results"] = json!({"images": images.collect::<Vec<_>>(), "buildStepImages": [""], "buildStepOutputs": [""]});
        }
    }
}

impl Approval {
    pub(super) fn waiting() -> Self {
        Self { state: "PENDING", at: None, comment: String::new(), url: String::new() }
    }

    fn json(&self, encoding: Encoding) -> Value {
        let mut approval = json!({"state": encoding.write(APPROVALS, self.state), "config": {"approvalRequired": true}});
        if let Some(at) = self.at {
            approval["result"] = json!({
                "approverAccount": "mei@tomoda.life",
                "approvalTime": time(at),
                "decision": encoding.write(DECISIONS, self.state),
                "comment": self.comment,
                "url": self.url,
            });
        }
        approval
    }
}

fn time(at: Timestamp) -> Value {
    json!(at.to_string())
}
