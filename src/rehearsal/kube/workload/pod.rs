//! Pods: made from a template, started on a node that exists in name only.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Nodes, owner, stamp, suffix_letter};
use crate::rehearsal::kube::store::{Key, Store};

/// What became of a pod's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodFate {
    /// It is ready.
    Ready,
    /// An image cannot be pulled now: try again later.
    Waiting,
    /// No node takes it.
    Unschedulable,
    /// It is no longer there, or was ready before.
    Settled,
}

pub(super) fn is_ready(pod: &Value) -> bool {
    pod["status"]["containerStatuses"].as_array().is_some_and(|it| !it.is_empty() && it.iter().all(|it| it["ready"] == true))
}

pub(super) fn create(store: &mut Store, set: &Value, now: Timestamp) {
    use sha2::{Digest as _, Sha256};
    let sum = Sha256::digest(format!("{}{}", set["metadata"]["uid"], store.version()));
    let suffix: String = sum.iter().take(5).map(|it| suffix_letter(*it)).collect();
    let template = &set["spec"]["template"];
    let name = format!("{}-{suffix}", set["metadata"]["name"].as_str().unwrap_or_default());
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": set["metadata"]["namespace"], "labels": template["metadata"]["labels"], "ownerReferences": owner(set) },
        "spec": template["spec"],
        "status": { "phase": "Pending", "conditions": [], "startTime": null },
    });
    if let Some(annotations) = template["metadata"].get("annotations") {
        pod["metadata"]["annotations"] = annotations.clone();
    }
    store.create(pod, now);
}

/// Starts a pod's containers, as far as node and registry let it.
pub fn start(store: &mut Store, key: &Key, nodes: &Nodes<'_>, now: Timestamp) -> PodFate {
    let Some(pod) = store.get(key).map(|it| Value::clone(it)).filter(|it| !is_ready(it)) else { return PodFate::Settled };
    if has_no_node(&pod["spec"]) {
        store.update(key, |it| it["status"]["conditions"] = json!([unscheduled(now)]));
        return PodFate::Unschedulable;
    }
    let containers = pod["spec"]["containers"].as_array().cloned().unwrap_or_default();
    let tried_before = pod["status"].get("containerStatuses").is_some();
    let statuses: Vec<Value> = containers.iter().map(|it| container_status(it, nodes, tried_before, now)).collect();
    let ready = statuses.iter().all(|it| it["ready"] == true);
    let at = stamp(now);
    store.update(key, |it| {
        let condition = |kind: &str, is: bool| json!({ "type": kind, "status": if is { "True" } else { "False" }, "lastTransitionTime": at });
        it["spec"]["nodeName"] = json!("rehearsal");
        it["status"] = json!({
            "phase": if ready { "Running" } else { "Pending" },
            "conditions": [condition("PodScheduled", true), condition("Initialized", true), condition("ContainersReady", ready), condition("Ready", ready)],
            "containerStatuses": statuses, "startTime": at, "podIP": "10.0.0.1", "hostIP": "10.0.0.0",
        });
    });
    if ready { PodFate::Ready } else { PodFate::Waiting }
}

fn container_status(container: &Value, nodes: &Nodes<'_>, tried_before: bool, now: Timestamp) -> Value {
    let image = container["image"].as_str().unwrap_or_default();
    match (nodes.pull)(image) {
        Some(digest) => json!({
            "name": container["name"], "image": image, "imageID": format!("{}@{digest}", repository(image)),
            "containerID": format!("containerd://{}", digest.trim_start_matches("sha256:")), "ready": true, "started": true,
            "restartCount": 0, "state": { "running": { "startedAt": stamp(now) } }, "lastState": {},
        }),
        None => {
            let pulling =
                format!("failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {image}: not found");
            let (reason, message) = if tried_before {
                ("ImagePullBackOff", format!("Back-off pulling image \"{image}\": ErrImagePull: {pulling}"))
            } else {
                ("ErrImagePull", pulling)
            };
            json!({
                "name": container["name"], "image": image, "imageID": "", "ready": false, "started": false, "restartCount": 0,
                "state": { "waiting": { "reason": reason, "message": message } }, "lastState": {},
            })
        }
    }
}

/// An image's name without tag and digest.
fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    name.rfind(':').filter(|at| !name[*at..].contains('/')).map_or(name, |at| &name[..at])
}

/// The only node has no labels but the usual ones.
fn has_no_node(spec: &Value) -> bool {
    let labels = spec["nodeSelector"].as_object().into_iter().flatten();
    labels.into_iter().any(|(key, value)| {
        !matches!((key.as_str(), value.as_str()), ("kubernetes.io/os", Some("linux")) | ("kubernetes.io/arch", Some("amd64")))
    })
}

fn unscheduled(now: Timestamp) -> Value {
    json!({
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": stamp(now),
        "message": "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
    })
}
