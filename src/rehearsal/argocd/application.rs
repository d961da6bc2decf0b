//! The Application object: how it begins, and what the loops read from it.

use serde_json::{Value, json};

use crate::rehearsal::cluster::ApplicationSpec;
use crate::rehearsal::kube::Key;

/// The annotation that asks for a look.
pub(super) const REFRESH: &str = "argocd.argoproj.io/refresh";

/// The annotation that says whose an object is.
pub(super) const TRACKING: &str = "argocd.argoproj.io/tracking-id";

/// The key of an application's object.
pub(super) fn key(spec: &ApplicationSpec) -> Key {
    Key::new("argoproj.io", "Application", &spec.namespace, &spec.name)
}

/// The object as a person wrote it.
pub(super) fn born(spec: &ApplicationSpec) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": { "name": spec.name, "namespace": spec.namespace },
        "spec": {
            "destination": destination(spec), "project": "default", "source": source(spec),
            "syncPolicy": { "automated": { "prune": true, "selfHeal": true }, "syncOptions": ["CreateNamespace=true"] },
        },
    })
}

/// Where an application comes from.
pub(super) fn source(spec: &ApplicationSpec) -> Value {
    json!({ "path": spec.path, "repoURL": spec.repo_url, "targetRevision": spec.branch })
}

/// Where it goes.
pub(super) fn destination(spec: &ApplicationSpec) -> Value {
    json!({ "namespace": spec.dest_namespace, "server": "https://kubernetes.default.svc" })
}

/// Whether somebody asked for a look.
pub(super) fn wants_refresh(application: &Value) -> bool {
    application["metadata"]["annotations"].get(REFRESH).is_some()
}

/// The operation that is asked for or under way.
pub(super) fn operation(application: &Value) -> Option<&Value> {
    application.get("operation").filter(|it| it.is_object())
}

/// What became of the last operation.
pub(super) fn operation_state(application: &Value) -> Option<&Value> {
    application["status"].get("operationState").filter(|it| it.is_object())
}

/// The phase of the last operation; empty without one.
pub(super) fn phase(application: &Value) -> &str {
    application["status"]["operationState"]["phase"].as_str().unwrap_or_default()
}

/// Whether an operation is under way.
pub(super) fn is_operating(application: &Value) -> bool {
    matches!(phase(application), "Running" | "Terminating")
}
