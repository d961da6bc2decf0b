//! How Argo CD judges what runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::rehearsal::kube::Key;

/// Health, best first: an application is as healthy as its worst resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    Healthy,
    Suspended,
    Progressing,
    Missing,
    Degraded,
}

impl Health {
    /// As the status says it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Suspended => "Suspended",
            Self::Progressing => "Progressing",
            Self::Missing => "Missing",
            Self::Degraded => "Degraded",
        }
    }
}

/// The health of one object.
pub(super) fn of(object: Option<&Value>) -> Health {
    match object {
        None => Health::Missing,
        Some(it) if it["kind"] == "Deployment" => deployment(it),
        Some(_) => Health::Healthy,
    }
}

fn deployment(it: &Value) -> Health {
    let (spec, status) = (&it["spec"], &it["status"]);
    let count = |value: &Value| value.as_i64().unwrap_or(0);
    if spec["paused"] == true {
        return Health::Suspended;
    }
    if count(&it["metadata"]["generation"]) > count(&status["observedGeneration"]) {
        return Health::Progressing;
    }
    let conditions = status["conditions"].as_array().into_iter().flatten();
    if conditions.into_iter().any(|it| it["type"] == "Progressing" && it["reason"] == "ProgressDeadlineExceeded") {
        return Health::Degraded;
    }
    let (replicas, updated, available) =
        (count(&status["replicas"]), count(&status["updatedReplicas"]), count(&status["availableReplicas"]));
    if updated < count(&spec["replicas"]) || replicas > updated || available < updated { Health::Progressing } else { Health::Healthy }
}

/// Whether a Deployment is rolled out to the last pod: the truth that a gate has to find.
pub(super) fn is_rolled_out(it: &Value) -> bool {
    deployment(it) == Health::Healthy
}

/// The images of the pods that belong to these objects, each once.
pub(super) fn images(live: &BTreeMap<Key, Arc<Value>>, managed: &[Key]) -> Vec<String> {
    let owned = |kind: &str, owner: &Value| -> Vec<&Arc<Value>> {
        let belongs = |it: &Value| it["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"];
        live.iter().filter(|(key, it)| key.kind == kind && belongs(it)).map(|(_, it)| it).collect()
    };
    let mut images = Vec::new();
    for deployment in managed.iter().filter(|it| it.kind == "Deployment").filter_map(|it| live.get(it)) {
        for pod in owned("ReplicaSet", deployment).into_iter().flat_map(|set| owned("Pod", set)) {
            let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
            images.extend(containers.filter_map(|it| it["image"].as_str().map(str::to_owned)));
        }
    }
    images.sort();
    images.dedup();
    images
}
