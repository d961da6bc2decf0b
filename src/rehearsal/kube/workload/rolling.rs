//! The rolling update: a new ReplicaSet grows within the surge, the old ones shrink as far as availability allows.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{REVISION, conditions, count, owner, revision_of, stamp};
use crate::rehearsal::kube::store::{Key, Store};

type Owned = (Key, Value);

/// How many pods may exist above, and be missing below, the wanted count.
pub(super) fn margins(deployment: &Value) -> (i64, i64) {
    let (strategy, wanted) = (&deployment["spec"]["strategy"], count(&deployment["spec"]["replicas"]));
    if strategy["type"] == "Recreate" {
        return (0, wanted);
    }
    let limit = |value: &Value, up: bool| match value.as_str().and_then(|it| it.strip_suffix('%')).and_then(|it| it.parse::<i64>().ok()) {
        Some(percent) if up => (wanted * percent + 99) / 100,
        Some(percent) => wanted * percent / 100,
        None => count(value),
    };
    let rolling = &strategy["rollingUpdate"];
    match (limit(&rolling["maxSurge"], true), limit(&rolling["maxUnavailable"], false)) {
        (0, 0) => (0, 1),
        it => it,
    }
}

/// Creates the ReplicaSet of a template that was never seen before.
pub(super) fn create_newest(store: &mut Store, key: &Key, deployment: &Value, own: &[Owned], hash: &str, now: Timestamp) {
    let spec = &deployment["spec"];
    let existing: i64 = own.iter().map(|(_, set)| count(&set["spec"]["replicas"])).sum();
    let room = count(&spec["replicas"]) + margins(deployment).0 - existing;
    let recreates = spec["strategy"]["type"] == "Recreate" && existing > 0;
    let replicas = if recreates { 0 } else { room.clamp(0, count(&spec["replicas"])) };
    let revision = own.iter().map(|(_, set)| revision_of(set)).max().unwrap_or(0) + 1;
    let mut template = spec["template"].clone();
    template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    let mut selector = spec["selector"].clone();
    selector["matchLabels"]["pod-template-hash"] = json!(hash);
    let name = format!("{}-{hash}", key.name);
    store.create(
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": name, "namespace": key.namespace, "labels": template["metadata"]["labels"],
                "annotations": { REVISION: revision.to_string(), "deployment.kubernetes.io/desired-replicas": spec["replicas"].to_string() },
                "ownerReferences": owner(deployment),
            },
            "spec": { "replicas": replicas, "selector": selector, "template": template },
            "status": { "replicas": 0 },
        }),
        now,
    );
    let created = format!("Created new replica set \"{name}\"");
    let condition = conditions::progressing(&deployment["status"], "True", "NewReplicaSetCreated", &created, &stamp(now));
    store.update(key, |it| {
        it["metadata"]["annotations"][REVISION] = json!(revision.to_string());
        conditions::set(it, condition);
    });
}

/// Makes a ReplicaSet of before the newest again: a way back.
pub(super) fn make_newest(store: &mut Store, key: &Key, set: &Key, top: u64) {
    let is = store.get(set).map_or(0, |it| revision_of(it));
    let revision = if is < top { top + 1 } else { is };
    store.update(set, |it| it["metadata"]["annotations"][REVISION] = json!(revision.to_string()));
    store.update(key, |it| it["metadata"]["annotations"][REVISION] = json!(revision.to_string()));
}

/// One step: grow the newest, or shrink the others.
pub(super) fn scale(store: &mut Store, deployment: &Value, own: &[Owned], newest: &Owned) {
    let wanted = count(&deployment["spec"]["replicas"]);
    if deployment["spec"]["paused"] == true {
        return;
    }
    let (surge, missing) = margins(deployment);
    let total: i64 = own.iter().map(|(_, set)| count(&set["spec"]["replicas"])).sum();
    let is = count(&newest.1["spec"]["replicas"]);
    let recreates = deployment["spec"]["strategy"]["type"] == "Recreate";
    let old_pods: i64 = own.iter().filter(|(key, _)| *key != newest.0).map(|(_, set)| count(&set["status"]["replicas"])).sum();
    let grown = if is > wanted {
        wanted
    } else if recreates {
        if old_pods == 0 { wanted } else { is }
    } else {
        wanted.min(is + (wanted + surge - total).max(0))
    };
    if grown != is {
        resize(store, &newest.0, grown);
        return;
    }
    let available: i64 = own.iter().map(|(_, set)| count(&set["status"]["availableReplicas"])).sum();
    let newest_short = is - count(&newest.1["status"]["availableReplicas"]);
    // Pods of old sets that never came up go first: they cost no availability.
    let mut sick = total - (wanted - missing) - newest_short;
    if sick <= 0 {
        return;
    }
    let mut spare = (available - (wanted - missing)).max(0);
    let mut old: Vec<&Owned> = own.iter().filter(|(key, _)| *key != newest.0).collect();
    old.sort_by_key(|(_, set)| revision_of(set));
    for (key, set) in old {
        let (size, up) = (count(&set["spec"]["replicas"]), count(&set["status"]["availableReplicas"]));
        let down = (size - up).clamp(0, sick);
        let fewer = (size - down).min(spare);
        sick -= down;
        spare -= fewer;
        resize(store, key, size - down - fewer);
    }
}

fn resize(store: &mut Store, key: &Key, replicas: i64) {
    store.update(key, |it| it["spec"]["replicas"] = json!(replicas));
}
