//! The status of a Deployment, as the controller words it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::rolling::margins;
use super::{Next, count, replica_sets, stamp};
use crate::rehearsal::kube::store::{Key, Store};

/// Counts the pods and says how the rollout goes.
pub(super) fn write_status(store: &mut Store, key: &Key, hash: &str, deadline: Option<Duration>, now: Timestamp) -> Next {
    let Some(deployment) = store.get(key).map(|it| Value::clone(it)) else { return Next::default() };
    let own = replica_sets(store, &deployment);
    let newest = own.iter().find(|(_, set)| set["metadata"]["labels"]["pod-template-hash"] == json!(hash));
    let sum = |pointer: &str| -> i64 { own.iter().map(|(_, set)| set.pointer(pointer).map_or(0, count)).sum() };
    let available = sum("/status/availableReplicas");
    let fields = [
        ("replicas", sum("/status/replicas")),
        ("updatedReplicas", newest.map_or(0, |(_, set)| count(&set["status"]["replicas"]))),
        ("readyReplicas", sum("/status/readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (sum("/spec/replicas") - available).max(0)),
    ];
    let mut status = json!({ "observedGeneration": deployment["metadata"]["generation"] });
    status["conditions"] = deployment["status"].get("conditions").cloned().unwrap_or(json!([]));
    for (name, number) in fields {
        if number > 0 {
            status[name] = json!(number);
        }
    }
    let mut after = deployment.clone();
    after["status"] = status;
    let name = newest.map(|(key, _)| key.name.clone()).unwrap_or_default();
    let next = judge(&deployment, &mut after, &name, deadline, now);
    store.update(key, |it| *it = after);
    next
}

fn judge(before: &Value, after: &mut Value, set_name: &str, deadline: Option<Duration>, now: Timestamp) -> Next {
    set_available(after, now);
    let wanted = count(&after["spec"]["replicas"]);
    let status = |it: &Value, field: &str| count(&it["status"][field]);
    let complete = ["updatedReplicas", "replicas", "availableReplicas"].iter().all(|it| status(after, it) == wanted);
    let current = find(&before["status"], "Progressing").cloned().unwrap_or(Value::Null);
    if current["reason"] == "NewReplicaSetAvailable" && status(after, "replicas") == status(after, "updatedReplicas") {
        return Next::default();
    }
    let old = |it: &Value| status(it, "replicas") - status(it, "updatedReplicas");
    let moved = status(after, "updatedReplicas") > status(before, "updatedReplicas")
        || old(after) < old(before)
        || ["readyReplicas", "availableReplicas"].iter().any(|it| status(after, it) > status(before, it));
    let seconds = count(&after["spec"]["progressDeadlineSeconds"]).unsigned_abs();
    let deadline = deadline.unwrap_or(Duration::from_secs(seconds + 1));
    let since = current["lastUpdateTime"].as_str().and_then(|it| it.parse::<Timestamp>().ok()).unwrap_or(now);
    let due = since + deadline;

    let say = |it: &mut Value, status: &str, reason: &str, words: &str| {
        let condition = progressing(&it["status"].clone(), status, reason, &format!("ReplicaSet \"{set_name}\" {words}"), &stamp(now));
        set(it, condition);
    };
    if complete {
        say(after, "True", "NewReplicaSetAvailable", "has successfully progressed.");
    } else if moved {
        say(after, "True", "ReplicaSetUpdated", "is progressing.");
        return Next { deadline: Some(now + deadline) };
    } else if current["reason"] == "ProgressDeadlineExceeded" {
    } else if now >= due {
        say(after, "False", "ProgressDeadlineExceeded", "has timed out progressing.");
    } else {
        return Next { deadline: Some(due) };
    }
    Next::default()
}

fn set_available(deployment: &mut Value, now: Timestamp) {
    let least = count(&deployment["spec"]["replicas"]) - margins(deployment).1;
    let enough = count(&deployment["status"]["availableReplicas"]) >= least;
    let (status, reason, message) = if enough {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    if find(&deployment["status"], "Available").is_none_or(|it| it["status"] != status) {
        let at = stamp(now);
        set(
            deployment,
            json!({
                "type": "Available", "status": status, "reason": reason, "message": message,
                "lastTransitionTime": at, "lastUpdateTime": at,
            }),
        );
    }
}

/// The condition that says how a rollout goes. Its transition time moves with its status only.
pub(super) fn progressing(status: &Value, is: &str, reason: &str, message: &str, at: &Value) -> Value {
    let before = find(status, "Progressing");
    let transition = before.filter(|it| it["status"] == is).map_or(at, |it| &it["lastTransitionTime"]);
    json!({
        "type": "Progressing", "status": is, "reason": reason, "message": message,
        "lastTransitionTime": transition, "lastUpdateTime": at,
    })
}

/// Puts a condition in the place of the one of its type.
pub(super) fn set(object: &mut Value, condition: Value) {
    let status = &mut object["status"];
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(list) = status["conditions"].as_array_mut() else { return };
    list.retain(|it| it["type"] != condition["type"]);
    list.push(condition);
}

pub(super) fn find<'v>(status: &'v Value, kind: &str) -> Option<&'v Value> {
    status["conditions"].as_array()?.iter().find(|it| it["type"] == kind)
}
