//! Argo CD through the Kubernetes API: Applications, and the annotation that asks for a comparison.
//!
//! Not through Argo CD's own API: it often stands behind a login page, while the cluster's API is there for machines.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::io::kube::{Cluster, Collection, Patched};
use crate::model::{ApplicationName, ApplicationSeen, Ask, Asked, ConditionSeen, OperationSeen, Seen, Unseen};

/// The annotation that asks for a comparison; the controller takes it away with the answer.
const REFRESH: &str = "argocd.argoproj.io/refresh";
/// The annotation that tells the controller to leave an Application alone.
const SKIP: &str = "argocd.argoproj.io/skip-reconcile";
const API: &str = "argoproj.io/v1alpha1";

/// Looks at one Application.
pub async fn fetch(cluster: &Cluster, namespace: &str, name: &ApplicationName) -> Seen<ApplicationSeen> {
    match found(cluster, namespace, name).await {
        Ok(Some(object)) => read(&object).map_or_else(|why| Seen::Unknown(Unseen::passing(why)), Seen::Known),
        Ok(None) => Seen::Unknown(Unseen::lasting(format!("There is no Application {name} in the namespace {namespace}."))),
        Err(why) => Seen::Unknown(why.into()),
    }
}

async fn found(cluster: &Cluster, namespace: &str, name: &ApplicationName) -> Result<Option<Value>> {
    cluster.get(&Collection::new(API, namespace, "applications")?, name.as_str()).await
}

/// Asks Argo CD to compare now, unless somebody changed the Application since it was seen.
pub async fn ask(cluster: &Cluster, ask: &Ask) -> Result<Asked> {
    let Ask::Refresh { application, namespace, resource_version } = ask;
    let collection = Collection::new(API, namespace, "applications")?;
    let patch = json!({ "metadata": { "resourceVersion": resource_version, "annotations": { REFRESH: "normal" } } });
    match cluster.merge(&collection, application.as_str(), &patch).await? {
        Patched::Conflict => Ok(Asked::Lost),
        Patched::Forbidden(why) => Ok(Asked::Refused { why: why.trim_end_matches('.').to_owned() }),
        Patched::Done(object) => match text(&object, "/metadata/resourceVersion") {
            Some(resource_version) => Ok(Asked::Set { resource_version }),
            None => Err(Error::remote(format!("The patched Application {application} came back without a resource version."))),
        },
    }
}

/// Reads an Application object. What it does not say is absent; what it says in a wrong form is an error.
pub fn read(object: &Value) -> Result<ApplicationSeen, String> {
    let resource_version = text(object, "/metadata/resourceVersion").ok_or("The Application has no resource version.")?;
    let source = Source::of(object);
    let status = &object["status"];
    let operation = &object["operation"];
    let annotation = |name: &str| object.pointer("/metadata/annotations").and_then(|it| it.get(name));
    let refresh = annotation(REFRESH);
    Ok(ApplicationSeen {
        resource_version,
        refresh: refresh.map(|it| it.as_str().unwrap_or_default().to_owned()),
        skipped: annotation(SKIP).is_some_and(|it| it == "true"),
        source: source.parts(),
        sync: text(status, "/sync/status"),
        revision: source.revision(&status["sync"]),
        health: text(status, "/health/status"),
        health_message: text(status, "/health/message"),
        health_since: time(status, "/health/lastTransitionTime")?,
        reconciled_at: time(status, "/reconciledAt")?,
        operation_requested: operation.is_object(),
        requested_revision: source.revision(&operation["sync"]),
        operation: read_operation(&status["operationState"], &source)?,
        conditions: status["conditions"].as_array().into_iter().flatten().map(read_condition).collect(),
        automated: object.pointer("/spec/syncPolicy/automated").is_some_and(|it| it.is_object() && it["enabled"] != false),
        heals: object.pointer("/spec/syncPolicy/automated/selfHeal").is_some_and(|it| it == true),
        images: texts(status.pointer("/summary/images")),
        overrides: texts(source.value.pointer("/kustomize/images")),
        out_of_sync: status["resources"].as_array().into_iter().flatten().filter_map(out_of_sync).collect(),
        contains_ours: None,
        holds_our_images: None,
    })
}

/// The source of an Application that is a folder of manifests; with several sources, the first one that is.
struct Source<'a> {
    value: &'a Value,
    /// Its position among several.
    position: Option<usize>,
}

impl<'a> Source<'a> {
    fn of(object: &'a Value) -> Self {
        let sources = object.pointer("/spec/sources").and_then(Value::as_array).filter(|it| !it.is_empty());
        match sources {
            None => Self { value: &object["spec"]["source"], position: None },
            Some(sources) => {
                let folder = |it: &Value| text(it, "/path").is_some() && text(it, "/chart").is_none();
                let position = sources.iter().position(folder).unwrap_or_default();
                Self { value: &sources[position], position: Some(position) }
            }
        }
    }

    fn parts(&self) -> Option<(String, String, String)> {
        let branch = text(self.value, "/targetRevision").unwrap_or_else(|| "HEAD".to_owned());
        Some((text(self.value, "/repoURL")?, branch, text(self.value, "/path")?))
    }

    /// This source's revision in an object that has `revision` or `revisions`.
    fn revision(&self, at: &Value) -> Option<String> {
        match self.position {
            Some(position) => owned(&at["revisions"][position]).or_else(|| text(at, "/revision")),
            None => text(at, "/revision"),
        }
    }
}

fn read_operation(state: &Value, source: &Source<'_>) -> Result<Option<OperationSeen>, String> {
    if !state.is_object() {
        return Ok(None);
    }
    let sync = &state["operation"]["sync"];
    Ok(Some(OperationSeen {
        phase: text(state, "/phase").unwrap_or_default(),
        // What was applied tells more than what was asked for, which may be a branch.
        revision: source.revision(&state["syncResult"]).or_else(|| source.revision(sync)),
        message: text(state, "/message").unwrap_or_default(),
        started_at: time(state, "/startedAt")?,
        finished_at: time(state, "/finishedAt")?,
        retries: state["retryCount"].as_u64().unwrap_or_default(),
        retry_limit: state["operation"]["retry"]["limit"].as_i64(),
        self_heals: sync["autoHealAttemptsCount"].as_u64().unwrap_or_default(),
    }))
}

/// A resource that is not as git has it.
fn out_of_sync(it: &Value) -> Option<String> {
    let name = format!("{} {}", text(it, "/kind")?, text(it, "/name")?);
    let gone = if it["requiresPruning"] == true { ", which git has no longer" } else { "" };
    (it["status"] == "OutOfSync").then(|| format!("{name}{gone}"))
}

fn read_condition(it: &Value) -> ConditionSeen {
    ConditionSeen { kind: text(it, "/type").unwrap_or_default(), message: text(it, "/message").unwrap_or_default() }
}

/// A text that is there and not empty: Go writes absent texts as empty ones.
fn text(object: &Value, pointer: &str) -> Option<String> {
    object.pointer(pointer).and_then(owned)
}

/// The texts of a list.
fn texts(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(owned).collect()
}

fn owned(value: &Value) -> Option<String> {
    value.as_str().filter(|it| !it.is_empty()).map(str::to_owned)
}

fn time(object: &Value, pointer: &str) -> Result<Option<Timestamp>, String> {
    let Some(text) = text(object, pointer) else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|why| format!("The Application's {} is not a time: {why}.", pointer.trim_start_matches('/').replace('/', ".")))
}
