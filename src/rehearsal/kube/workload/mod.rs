//! The controllers: a Deployment becomes ReplicaSets, they become Pods, and the Pods' truth comes back up.
//!
//! Here: one look of one controller at the store at a time; whoever drives them calls again while anything changes.
//! Never here: when they look, and who wanted the Deployment.
//! Start reading at [`look_at_deployment`]. Used by `rehearsal::argocd`, which has the schedule.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::store::{Key, Store, whole_seconds};

mod conditions;
mod pod;
mod rolling;

pub use pod::{PodFate, start as start_pod};

/// What decides the life of pods.
pub struct Nodes<'n> {
    /// Resolves an image to the digest that a pull would bring; nothing when it cannot be pulled.
    pub pull: &'n dyn Fn(&str) -> Option<String>,
    /// Replaces `progressDeadlineSeconds`.
    pub progress_deadline: Option<Duration>,
}

/// What a look at a Deployment wants next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Next {
    /// Look again at this time, because a deadline passes.
    pub deadline: Option<Timestamp>,
}

/// One look of the Deployment controller.
pub fn look_at_deployment(store: &mut Store, key: &Key, nodes: &Nodes<'_>, now: Timestamp) -> Next {
    let Some(deployment) = store.get(key).map(|it| Value::clone(it)) else { return Next::default() };
    let hash = template_hash(&deployment);
    let own = replica_sets(store, &deployment);
    let newest = own.iter().find(|(_, set)| set["metadata"]["labels"]["pod-template-hash"] == json!(hash)).cloned();
    let Some(newest) = newest else {
        rolling::create_newest(store, key, &deployment, &own, &hash, now);
        return Next::default();
    };
    let was_revision = deployment["metadata"]["annotations"][REVISION].clone();
    let top = own.iter().map(|(_, set)| revision_of(set)).max().unwrap_or(0);
    if revision_of(&newest.1) < top || was_revision != json!(revision_of(&newest.1).to_string()) {
        rolling::make_newest(store, key, &newest.0, top);
        return Next::default();
    }
    rolling::scale(store, &deployment, &own, &newest);
    conditions::write_status(store, key, &hash, nodes.progress_deadline, now)
}

/// One look of the ReplicaSet controller: as many pods as wanted, and their count in the status.
pub fn look_at_replica_set(store: &mut Store, key: &Key, now: Timestamp) {
    let Some(set) = store.get(key).map(|it| Value::clone(it)) else { return };
    let wanted = usize::try_from(count(&set["spec"]["replicas"])).unwrap_or(0);
    let own = pods(store, &set);
    for _ in own.len()..wanted {
        pod::create(store, &set, now);
    }
    // Those that do not run go first, then the youngest.
    let mut order: Vec<&(Key, Value)> = own.iter().collect();
    order.sort_by_key(|(_, pod)| (pod::is_ready(pod), std::cmp::Reverse(pod["metadata"]["creationTimestamp"].to_string())));
    for (pod, _) in order.into_iter().take(own.len().saturating_sub(wanted)) {
        store.delete(pod);
    }
    let own = pods(store, &set);
    let ready = own.iter().filter(|(_, pod)| pod::is_ready(pod)).count();
    store.update(key, |set| {
        let mut status = json!({ "replicas": own.len(), "observedGeneration": set["metadata"]["generation"] });
        for (name, number) in [("fullyLabeledReplicas", own.len()), ("readyReplicas", ready), ("availableReplicas", ready)] {
            if number > 0 {
                status[name] = json!(number);
            }
        }
        set["status"] = status;
    });
}

pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) fn count(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

/// The ReplicaSets that belong to a Deployment.
pub fn replica_sets(store: &Store, deployment: &Value) -> Vec<(Key, Value)> {
    owned(store, "apps", "ReplicaSet", deployment)
}

/// The Pods that belong to a ReplicaSet.
pub fn pods(store: &Store, set: &Value) -> Vec<(Key, Value)> {
    owned(store, "", "Pod", set)
}

fn owned(store: &Store, group: &str, kind: &str, owner: &Value) -> Vec<(Key, Value)> {
    let namespace = owner["metadata"]["namespace"].as_str().unwrap_or_default();
    let uid = &owner["metadata"]["uid"];
    let all = store.list(group, kind, Some(namespace));
    all.filter(|(_, it)| it["metadata"]["ownerReferences"][0]["uid"] == *uid).map(|(key, it)| (key.clone(), Value::clone(it))).collect()
}

fn owner(object: &Value) -> Value {
    json!([{
        "apiVersion": object["apiVersion"], "kind": object["kind"], "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    }])
}

fn revision_of(set: &Value) -> u64 {
    set["metadata"]["annotations"][REVISION].as_str().and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// A name for a pod template, in the alphabet that Kubernetes uses because it makes no words.
fn template_hash(deployment: &Value) -> String {
    use sha2::{Digest as _, Sha256};
    let mut template = deployment["spec"]["template"].clone();
    template.sort_all_objects();
    let sum = Sha256::digest(template.to_string());
    sum.iter().take(9).map(|it| suffix_letter(*it)).collect()
}

fn suffix_letter(byte: u8) -> char {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])
}

fn stamp(now: Timestamp) -> Value {
    json!(whole_seconds(now))
}
