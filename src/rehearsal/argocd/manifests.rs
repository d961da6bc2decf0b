//! What a commit wants in the cluster, how far the cluster is from it, and how it gets there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::application::TRACKING;
use super::{kustomize, source};
use crate::rehearsal::cluster::ApplicationSpec;
use crate::rehearsal::kube::kind::is_cluster_wide;
use crate::rehearsal::kube::{Key, Refusal, applied, defaulted, refuse_invalid};

/// Where `kubectl apply` and Argo CD keep what they applied.
const LAST: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The objects a commit wants, or why it cannot be rendered.
pub(super) type Rendered = Arc<Result<Vec<Value>, String>>;

/// Renders a commit for an application. The outer error is a repository that cannot be read.
pub(super) fn render(repository: &Path, spec: &ApplicationSpec, commit: &str) -> Result<Rendered, git2::Error> {
    let path = &spec.path;
    let built = source::with_files(repository, commit, |files| {
        if !files.has_folder(path) {
            return Err(format!("{path}: app path does not exist"));
        }
        kustomize::build(files, path)
            .map_err(|why| format!("`kustomize build <path to cached source>/{path}` failed exit status 1: Error: {why}"))
    })?;
    let prefix = "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc =";
    let rendered = built.map_err(|why| format!("{prefix} {why}"));
    Ok(Arc::new(rendered.map(|objects| objects.into_iter().map(|it| claimed(it, spec)).collect())))
}

/// The object as Argo CD applies it: in its namespace, marked as the application's own.
fn claimed(mut object: Value, spec: &ApplicationSpec) -> Value {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    if !is_cluster_wide(&kind) && object["metadata"]["namespace"].is_null() {
        object["metadata"]["namespace"] = json!(spec.dest_namespace);
    }
    let key = Key::of(&object);
    let id = format!("{}:{}/{kind}:{}/{}", spec.name, key.group, key.namespace, key.name);
    object["metadata"]["annotations"][TRACKING] = json!(id);
    object
}

/// Whether an object is this application's.
pub(super) fn belongs(object: &Value, spec: &ApplicationSpec) -> bool {
    let id = object["metadata"]["annotations"][TRACKING].as_str();
    id.and_then(|it| it.split(':').next()) == Some(spec.name.as_str())
}

/// What an object becomes when this manifest is applied to it.
fn outcome(live: Option<&Value>, wanted: &Value) -> Value {
    let Some(live) = live else {
        let mut born = wanted.clone();
        born["metadata"]["annotations"][LAST] = json!(wanted.to_string());
        return defaulted(born);
    };
    let last = live["metadata"]["annotations"][LAST].as_str().and_then(|it| serde_json::from_str(it).ok()).unwrap_or(Value::Null);
    let mut after = applied(live, &last, wanted);
    after["metadata"]["annotations"][LAST] = json!(wanted.to_string());
    defaulted(after)
}

/// Whether applying this manifest would change anything but the memory of having applied it.
pub(super) fn is_in_sync(live: Option<&Value>, wanted: &Value) -> bool {
    live.is_some_and(|live| {
        let mut after = outcome(Some(live), wanted);
        after["metadata"]["annotations"][LAST] = live["metadata"]["annotations"][LAST].clone();
        if live["metadata"]["annotations"].get(LAST).is_none() {
            after["metadata"]["annotations"].as_object_mut().map(|it| it.shift_remove(LAST));
        }
        after == *live
    })
}

/// How one object differs from what is wanted.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) key: Key,
    version: String,
    status: &'static str,
    prune: bool,
}

impl Difference {
    /// The entry of `status.resources`.
    pub(super) fn shown(&self) -> Value {
        let mut shown = identity(&self.key);
        if !self.key.namespace.is_empty() {
            shown["namespace"] = json!(self.key.namespace);
        }
        if self.prune {
            shown["requiresPruning"] = json!(true);
        }
        shown["status"] = json!(self.status);
        shown["version"] = json!(self.version);
        shown
    }

    pub(super) fn is_synced(&self) -> bool {
        self.status == "Synced"
    }
}

/// Group, kind and name, as operations name what they are limited to.
pub(super) fn identity(key: &Key) -> Value {
    let mut shown = json!({});
    if !key.group.is_empty() {
        shown["group"] = json!(key.group);
    }
    shown["kind"] = json!(key.kind);
    shown["name"] = json!(key.name);
    shown
}

/// The version of an object's API: the last part of `apiVersion`.
pub(super) fn version_of(object: &Value) -> String {
    object["apiVersion"].as_str().and_then(|it| it.rsplit('/').next()).unwrap_or_default().to_owned()
}

/// Compares what is wanted with what is believed to be there. Without anything wanted, all that is there is in question.
pub(super) fn compare(live: &BTreeMap<Key, Arc<Value>>, spec: &ApplicationSpec, wanted: Option<&[Value]>) -> Vec<Difference> {
    let mut found: BTreeMap<Key, Difference> = BTreeMap::new();
    for (key, object) in live.iter().filter(|(_, it)| belongs(it, spec)) {
        let status = if wanted.is_some() { "OutOfSync" } else { "Unknown" };
        found.insert(key.clone(), Difference { key: key.clone(), version: version_of(object), status, prune: true });
    }
    for manifest in wanted.into_iter().flatten() {
        let key = Key::of(manifest);
        let status = if is_in_sync(live.get(&key).map(|it| &**it), manifest) { "Synced" } else { "OutOfSync" };
        found.insert(key.clone(), Difference { key, version: version_of(manifest), status, prune: false });
    }
    found.into_values().collect()
}

/// What applying one manifest writes.
pub(super) enum Write {
    Create(Value),
    Change(Value),
    Nothing,
}

/// Works out what applying a manifest writes, or how the API server refuses it.
pub(super) fn apply(live: Option<&Value>, wanted: &Value) -> Result<Write, Refusal> {
    let after = outcome(live, wanted);
    refuse_invalid(live, &after)?;
    Ok(match live {
        None => Write::Create(after),
        Some(live) if after == *live => Write::Nothing,
        Some(_) => Write::Change(after),
    })
}

/// The order in which kinds are applied: what others need comes first.
pub(super) fn apply_order(kind: &str) -> usize {
    const FIRST: &[&str] = &[
        "Namespace",
        "NetworkPolicy",
        "ResourceQuota",
        "LimitRange",
        "PodDisruptionBudget",
        "ServiceAccount",
        "Secret",
        "ConfigMap",
        "StorageClass",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "CustomResourceDefinition",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "Service",
        "DaemonSet",
        "Pod",
        "ReplicaSet",
        "Deployment",
        "HorizontalPodAutoscaler",
        "StatefulSet",
        "Job",
        "CronJob",
        "IngressClass",
        "Ingress",
    ];
    FIRST.iter().position(|it| *it == kind).unwrap_or(FIRST.len())
}
