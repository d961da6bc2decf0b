//! The label transformer, with kustomize's table of where labels and selectors are.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::put;
use super::file::LabelSet;

/// Kinds that make pods from a template, and select them.
const WORKLOADS: &[&str] = &["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"];

/// Selectors that get the labels only where they already select by labels. `*` goes through a list.
const EXISTING: &[(&str, &str)] = &[
    ("PodDisruptionBudget", "spec/selector/matchLabels"),
    ("NetworkPolicy", "spec/podSelector/matchLabels"),
    ("NetworkPolicy", "spec/ingress/*/from/*/podSelector/matchLabels"),
    ("NetworkPolicy", "spec/egress/*/to/*/podSelector/matchLabels"),
    ("Job", "spec/selector/matchLabels"),
];

/// The same inside the pods of workloads.
const IN_PODS: &[&str] = &[
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/*/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/*/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/*/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/*/labelSelector/matchLabels",
    "topologySpreadConstraints/*/labelSelector/matchLabels",
];

/// Adds labels to an object, and to its templates and selectors where that is wanted.
pub(super) fn apply(object: &mut Value, set: &LabelSet) {
    let (kind, pairs) = (object["kind"].as_str().unwrap_or_default().to_owned(), &set.pairs);
    let workload = WORKLOADS.contains(&kind.as_str());
    put(object, &["metadata", "labels"], pairs);
    if set.include_selectors || set.include_templates {
        match kind.as_str() {
            "CronJob" => {
                put(object, &["spec", "jobTemplate", "metadata", "labels"], pairs);
                put(object, &["spec", "jobTemplate", "spec", "template", "metadata", "labels"], pairs);
            }
            "Job" | "ReplicationController" => put(object, &["spec", "template", "metadata", "labels"], pairs),
            _ if workload => put(object, &["spec", "template", "metadata", "labels"], pairs),
            _ => {}
        }
    }
    if !set.include_selectors {
        return;
    }
    match kind.as_str() {
        "Service" | "ReplicationController" => put(object, &["spec", "selector"], pairs),
        _ if workload => put(object, &["spec", "selector", "matchLabels"], pairs),
        _ => {}
    }
    for (_, path) in EXISTING.iter().filter(|(it, _)| *it == kind) {
        put_existing(object, &path.split('/').collect::<Vec<_>>(), pairs);
    }
    if workload {
        for path in IN_PODS {
            put_existing(&mut object["spec"]["template"]["spec"], &path.split('/').collect::<Vec<_>>(), pairs);
        }
    }
}

fn put_existing(here: &mut Value, path: &[&str], pairs: &BTreeMap<String, String>) {
    match path {
        [] => put(here, &[], pairs),
        ["*", rest @ ..] => here.as_array_mut().into_iter().flatten().for_each(|it| put_existing(it, rest, pairs)),
        [step, rest @ ..] => {
            if let Some(next) = here.get_mut(*step) {
                put_existing(next, rest, pairs);
            }
        }
    }
}
