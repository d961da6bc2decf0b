//! The transformers of single fields: namespace, annotations, replicas.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::file::Replicas;
use crate::rehearsal::kube::kind::is_cluster_wide;

/// Puts an object into a namespace, with what names it by that namespace.
pub(super) fn set_namespace(object: &mut Value, namespace: &str) {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    if kind == "Namespace" {
        object["metadata"]["name"] = json!(namespace);
    } else if !is_cluster_wide(&kind) {
        object["metadata"]["namespace"] = json!(namespace);
    }
    if matches!(kind.as_str(), "RoleBinding" | "ClusterRoleBinding") {
        for subject in object["subjects"].as_array_mut().into_iter().flatten() {
            if subject["kind"] == "ServiceAccount" && (subject["name"] == "default" || subject.get("namespace").is_some()) {
                subject["namespace"] = json!(namespace);
            }
        }
    }
}

/// Adds annotations to an object and to the pods it makes.
pub(super) fn annotate(object: &mut Value, annotations: &BTreeMap<String, String>) {
    if annotations.is_empty() {
        return;
    }
    put(object, &["metadata", "annotations"], annotations);
    if object["spec"]["template"].is_object() {
        put(object, &["spec", "template", "metadata", "annotations"], annotations);
    }
    if object["kind"] == "CronJob" {
        put(object, &["spec", "jobTemplate", "metadata", "annotations"], annotations);
        put(object, &["spec", "jobTemplate", "spec", "template", "metadata", "annotations"], annotations);
    }
}

/// Sets the replicas of the workload of this name.
pub(super) fn set_replicas(object: &mut Value, wanted: &Replicas) {
    let scaled = matches!(object["kind"].as_str(), Some("Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController"));
    if scaled && object["metadata"]["name"] == wanted.name.as_str() {
        object["spec"]["replicas"] = json!(wanted.count);
    }
}

/// Writes pairs into a map at this path, making the maps on the way.
pub(super) fn put(object: &mut Value, path: &[&str], pairs: &BTreeMap<String, String>) {
    let mut here = object;
    for step in path {
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        here = &mut here[*step];
    }
    if !here.is_object() {
        *here = Value::Object(Map::new());
    }
    for (key, value) in pairs {
        here[key] = json!(value);
    }
}
