//! Objects as the tables that `kubectl get` prints.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kind::Kind;

/// One column: its name, its type, and whether only `-o wide` shows it.
type Column = (&'static str, &'static str, bool);

const DEPLOYMENT: &[Column] = &[
    ("Name", "string", false),
    ("Ready", "string", false),
    ("Up-to-date", "string", false),
    ("Available", "string", false),
    ("Age", "string", false),
    ("Containers", "string", true),
    ("Images", "string", true),
];
const REPLICA_SET: &[Column] = &[
    ("Name", "string", false),
    ("Desired", "integer", false),
    ("Current", "integer", false),
    ("Ready", "integer", false),
    ("Age", "string", false),
];
const POD: &[Column] = &[
    ("Name", "string", false),
    ("Ready", "string", false),
    ("Status", "string", false),
    ("Restarts", "string", false),
    ("Age", "string", false),
];
const APPLICATION: &[Column] = &[
    ("Name", "string", false),
    ("Sync Status", "string", false),
    ("Health Status", "string", false),
    ("Revision", "string", true),
    ("Project", "string", true),
];
const NAMESPACE: &[Column] = &[("Name", "string", false), ("Status", "string", false), ("Age", "string", false)];
const OTHER: &[Column] = &[("Name", "string", false), ("Age", "string", false)];

/// The table of these objects. A watch leaves the columns out after its first event.
pub(super) fn table(kind: &Kind, objects: &[&Value], metadata: &Value, columns: bool, now: Timestamp) -> Value {
    let definitions = columns_of(kind).iter().map(|(name, form, wide)| {
        let format = if *name == "Name" { "name" } else { "" };
        json!({ "name": name, "type": form, "format": format, "description": name, "priority": i32::from(*wide) })
    });
    let rows = objects.iter().map(|it| {
        let identity = json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": it["metadata"],
        });
        json!({ "cells": cells(kind, it, now), "object": identity })
    });
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": if columns { definitions.collect::<Vec<_>>() } else { vec![] },
        "rows": rows.collect::<Vec<_>>(),
    })
}

fn columns_of(kind: &Kind) -> &'static [Column] {
    match kind.kind {
        "Deployment" => DEPLOYMENT,
        "ReplicaSet" => REPLICA_SET,
        "Pod" => POD,
        "Application" => APPLICATION,
        "Namespace" => NAMESPACE,
        _ => OTHER,
    }
}

fn cells(kind: &Kind, object: &Value, now: Timestamp) -> Value {
    let (name, age) = (&object["metadata"]["name"], age(object, now));
    let (spec, status) = (&object["spec"], &object["status"]);
    let count = |value: &Value| value.as_i64().unwrap_or(0);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match kind.kind {
        "Deployment" => {
            let ready = format!("{}/{}", count(&status["readyReplicas"]), count(&spec["replicas"]));
            let updated = count(&status["updatedReplicas"]).to_string();
            let available = count(&status["availableReplicas"]).to_string();
            let containers = spec["template"]["spec"]["containers"].as_array().cloned().unwrap_or_default();
            let join = |field: &str| containers.iter().map(|it| text(&it[field])).collect::<Vec<_>>().join(",");
            json!([name, ready, updated, available, age, join("name"), join("image")])
        }
        "ReplicaSet" => json!([name, count(&spec["replicas"]), count(&status["replicas"]), count(&status["readyReplicas"]), age]),
        "Pod" => {
            let containers = status["containerStatuses"].as_array().cloned().unwrap_or_default();
            let ready = containers.iter().filter(|it| it["ready"] == true).count();
            let total = spec["containers"].as_array().map_or(0, Vec::len);
            let waiting = containers.iter().find_map(|it| it["state"]["waiting"]["reason"].as_str().map(str::to_owned));
            json!([name, format!("{ready}/{total}"), waiting.unwrap_or_else(|| text(&status["phase"])), "0", age])
        }
        "Application" => {
            let sync = &status["sync"];
            json!([name, text(&sync["status"]), text(&status["health"]["status"]), text(&sync["revision"]), text(&spec["project"])])
        }
        "Namespace" => json!([name, text(&status["phase"]), age]),
        _ => json!([name, age]),
    }
}

/// `12s`, `5m`, `3h`, `2d`.
fn age(object: &Value, now: Timestamp) -> String {
    let Some(created) = object["metadata"]["creationTimestamp"].as_str().and_then(|it| it.parse::<Timestamp>().ok()) else {
        return "<unknown>".to_owned();
    };
    match now.duration_since(created).as_secs().max(0) {
        it @ 0..120 => format!("{it}s"),
        it @ 120..7200 => format!("{}m", it / 60),
        it @ 7200..172_800 => format!("{}h", it / 3600),
        it => format!("{}d", it / 86_400),
    }
}
