//! Deployments through the Kubernetes API, and what their pods complain about.

use serde_json::Value;

use crate::error::Result;
use crate::io::kube::{Cluster, Collection};
use crate::model::{Seen, Unseen, WorkloadSeen};

/// How many complaints one Deployment may voice.
const COMPLAINTS: usize = 5;

/// Looks at one Deployment. Its pods are a help where they may be listed, and never a reason not to know it.
pub async fn fetch(cluster: &Cluster, namespace: &str, name: &str) -> Seen<Option<WorkloadSeen>> {
    let object = match found(cluster, namespace, name).await {
        Ok(Some(object)) => object,
        Ok(None) => return Seen::Known(None),
        Err(why) => return Seen::Unknown(why.into()),
    };
    let pods = match selector(&object) {
        Some(labels) if pods_matter(&object) => listed(cluster, namespace, &labels).await.unwrap_or_default(),
        _ => Vec::new(),
    };
    read(&object, &pods).map_or_else(|why| Seen::Unknown(Unseen::passing(why)), |it| Seen::Known(Some(it)))
}

/// Whether the pods can tell more than the Deployment does: what an unfinished rollout waits for, or which digest a tag became.
fn pods_matter(deployment: &Value) -> bool {
    let complete = |it: &WorkloadSeen| {
        it.observed_generation >= it.generation
            && it.replicas == it.updated
            && it.available == it.updated
            && it.updated >= it.desired.unwrap_or(1)
    };
    let pinned = |it: &WorkloadSeen| it.images.iter().all(|image| image.contains("@sha256:"));
    read(deployment, &[]).is_ok_and(|it| !complete(&it) || !pinned(&it))
}

async fn found(cluster: &Cluster, namespace: &str, name: &str) -> Result<Option<Value>> {
    cluster.get(&Collection::new("apps/v1", namespace, "deployments")?, name).await
}

async fn listed(cluster: &Cluster, namespace: &str, labels: &str) -> Result<Vec<Value>> {
    cluster.list(&Collection::new("", namespace, "pods")?, labels).await
}

/// Reads a Deployment object and the pods it selects.
pub fn read(deployment: &Value, pods: &[Value]) -> Result<WorkloadSeen, String> {
    let (spec, status) = (&deployment["spec"], &deployment["status"]);
    let generation = deployment.pointer("/metadata/generation").and_then(Value::as_i64).ok_or("The Deployment has no generation.")?;
    let images = images(&spec["template"]["spec"]);
    let ours: Vec<&Value> =
        pods.iter().filter(|it| it.pointer("/metadata/deletionTimestamp").is_none() && self::images(&it["spec"]) == images).collect();
    Ok(WorkloadSeen {
        generation,
        observed_generation: status["observedGeneration"].as_i64().unwrap_or_default(),
        desired: spec.get("replicas").filter(|it| !it.is_null()).map(|it| count(it, i32::MAX)),
        replicas: count(&status["replicas"], 0),
        updated: count(&status["updatedReplicas"], 0),
        available: count(&status["availableReplicas"], 0),
        paused: spec["paused"] == true,
        images,
        running: ours.iter().filter(|it| is_ready(it)).flat_map(|it| running(it)).collect(),
        progressing: condition(status, "Progressing").map(|it| (text(&it["reason"]), text(&it["message"]))),
        waiting: complaints(status, &ours),
    })
}

/// Kubernetes leaves out a count that is zero; one that does not fit is taken for what proves nothing.
fn count(value: &Value, odd: i32) -> i32 {
    if value.is_null() { 0 } else { value.as_i64().and_then(|it| i32::try_from(it).ok()).unwrap_or(odd) }
}

/// The images of a pod's or a template's containers.
fn images(spec: &Value) -> Vec<String> {
    let all = ["initContainers", "containers"].into_iter().flat_map(|it| spec[it].as_array().into_iter().flatten());
    all.map(|it| text(&it["image"])).collect()
}

/// The `imageID`s of a pod's containers, without the container engine's prefix.
fn running(pod: &Value) -> impl Iterator<Item = String> {
    let containers = pod.pointer("/status/containerStatuses").and_then(Value::as_array).into_iter().flatten();
    containers.map(|it| text(&it["imageID"])).filter(|it| !it.is_empty()).map(|it| it.trim_start_matches("docker-pullable://").to_owned())
}

fn is_ready(pod: &Value) -> bool {
    condition(&pod["status"], "Ready").is_some_and(|it| it["status"] == "True")
}

/// What keeps the new pods from running: once each, at most a few.
fn complaints(status: &Value, pods: &[&Value]) -> Vec<String> {
    let failure = condition(status, "ReplicaFailure").filter(|it| it["status"] == "True").map(|it| said("ReplicaFailure", it, ""));
    let mut all: Vec<String> = failure.into_iter().chain(pods.iter().flat_map(|it| pod_complaints(it))).collect();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|it| seen.insert(it.clone()));
    all.truncate(COMPLAINTS);
    all
}

fn pod_complaints(pod: &Value) -> Vec<String> {
    let status = &pod["status"];
    let unschedulable = condition(status, "PodScheduled").filter(|it| it["status"] == "False").map(|it| said(&text(&it["reason"]), it, ""));
    let containers = ["initContainerStatuses", "containerStatuses"].into_iter().flat_map(|it| status[it].as_array().into_iter().flatten());
    unschedulable.into_iter().chain(containers.filter_map(container_complaint)).collect()
}

/// `ImagePullBackOff`, `CrashLoopBackOff` and the like; starting up is no complaint.
fn container_complaint(it: &Value) -> Option<String> {
    let waiting = it.pointer("/state/waiting")?;
    let reason = text(&waiting["reason"]);
    if matches!(reason.as_str(), "" | "ContainerCreating" | "PodInitializing") {
        return None;
    }
    let ended =
        it.pointer("/lastState/terminated/exitCode").and_then(Value::as_i64).map(|code| format!(", it ended with exit code {code}"));
    Some(said(&reason, waiting, &ended.unwrap_or_default()))
}

fn said(reason: &str, it: &Value, more: &str) -> String {
    match text(&it["message"]).as_str() {
        "" => format!("{reason}{more}"),
        message => format!("{reason}{more}: {message}"),
    }
}

fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    status["conditions"].as_array()?.iter().find(|it| it["type"] == kind)
}

/// A Deployment's selector in the form of a list request.
fn selector(deployment: &Value) -> Option<String> {
    let selector = deployment.pointer("/spec/selector")?;
    let labels = selector["matchLabels"].as_object().into_iter().flatten().map(|(key, value)| format!("{key}={}", text(value)));
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten().map(|it| {
        let key = text(&it["key"]);
        let values: Vec<String> = it["values"].as_array().into_iter().flatten().map(text).collect();
        match it["operator"].as_str() {
            Some("In") => format!("{key} in ({})", values.join(",")),
            Some("NotIn") => format!("{key} notin ({})", values.join(",")),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key,
        }
    });
    let all: Vec<String> = labels.chain(expressions).collect();
    (!all.is_empty()).then(|| all.join(","))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
