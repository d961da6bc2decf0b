//! What the server says about itself, so that clients find their way.

use serde_json::{Value, json};

use super::kind::{KINDS, Kind};

/// The answer for a path of discovery, if it is one.
pub(super) fn answer(path: &str) -> Option<Value> {
    match path.trim_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        ["version"] => Some(version()),
        ["api"] => Some(json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })),
        ["apis"] => Some(json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups() })),
        ["apis", name] => groups().into_iter().find(|it| it["name"] == *name).map(|group| {
            let mut group = group;
            group["kind"] = json!("APIGroup");
            group["apiVersion"] = json!("v1");
            group
        }),
        ["api", "v1"] => Some(resources("", "v1")),
        ["apis", group, version] if KINDS.iter().any(|it| it.group == *group && it.version == *version) => Some(resources(group, version)),
        ["openapi", "v2"] => Some(json!({ "swagger": "2.0", "info": info(), "paths": {}, "definitions": {} })),
        ["openapi", "v3"] => Some(json!({ "paths": {} })),
        ["healthz" | "livez" | "readyz"] => Some(json!("ok")),
        _ => None,
    }
}

fn info() -> Value {
    json!({ "title": "Kubernetes (rehearsal)", "version": "v1.34.1" })
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "34", "gitVersion": "v1.34.1+rehearsal", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "rehearsal",
    })
}

fn groups() -> Vec<Value> {
    let mut names: Vec<&Kind> = Vec::new();
    for kind in KINDS.iter().filter(|it| !it.group.is_empty()) {
        if !names.iter().any(|it| it.group == kind.group) {
            names.push(kind);
        }
    }
    let described = names.into_iter().map(|it| {
        let version = json!({ "groupVersion": it.api_version(), "version": it.version });
        json!({ "name": it.group, "versions": [version], "preferredVersion": version })
    });
    described.collect()
}

fn resources(group: &str, version: &str) -> Value {
    let here = KINDS.iter().filter(|it| it.group == group && it.version == version);
    let list: Vec<Value> = here.flat_map(|kind| std::iter::once(resource(kind)).chain(scale(kind))).collect();
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list })
}

fn resource(kind: &Kind) -> Value {
    let verbs: &[&str] = if kind.patched { &["get", "list", "patch", "watch"] } else { &["get", "list", "watch"] };
    json!({
        "name": kind.plural, "singularName": kind.kind.to_lowercase(), "namespaced": kind.namespaced, "kind": kind.kind,
        "verbs": verbs, "shortNames": kind.short, "categories": if kind.group == "apps" || kind.kind == "Pod" { vec!["all"] } else { vec![] },
    })
}

fn scale(kind: &Kind) -> Option<Value> {
    let scale = json!({
        "name": "deployments/scale", "singularName": "", "namespaced": true, "group": "autoscaling", "version": "v1",
        "kind": "Scale", "verbs": ["get", "patch", "update"],
    });
    (kind.kind == "Deployment").then_some(scale)
}
