//! One request to the API, one answer.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::access::Access;
use super::discovery;
use super::kind::Kind;
use super::listing::{Selection, Shape};
use super::patch::PatchKind;
use super::refusal::Refusal;
use super::selector::{FieldSelector, LabelSelector};
use super::store::{Key, Store};
use super::table::table;
use super::validate::{defaulted, refuse_invalid};
use super::watch::Watching;

/// A request, without its wire.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// `GET`, `PATCH`, …
    pub method: &'r str,
    /// The path, decoded.
    pub path: &'r str,
    /// The query, decoded.
    pub query: &'r [(String, String)],
    /// The `Accept` header.
    pub accept: &'r str,
    /// The `Content-Type` header.
    pub content_type: &'r str,
    /// The body.
    pub body: &'r [u8],
}

/// What comes back.
#[derive(Clone, Debug)]
pub enum Answer {
    /// One object, with status 200.
    Object(Value),
    /// Changes, as they come.
    Watch(Box<Watching>),
}

/// The parts of a resource's path.
struct Target<'r> {
    kind: &'static Kind,
    namespace: Option<&'r str>,
    name: Option<&'r str>,
    subresource: Option<&'r str>,
}

/// Answers one request, at this time.
pub fn answer(store: &mut Store, access: &Access, now: Timestamp, request: &Request<'_>) -> Result<Answer, Refusal> {
    if let Some(document) = discovery::answer(request.path) {
        return if request.method == "GET" { Ok(Answer::Object(document)) } else { Err(Refusal::method_not_allowed()) };
    }
    let target = target(request.path).ok_or_else(|| nowhere(request.path))?;
    match (request.method, target.name) {
        ("GET", None) => list(store, now, request, &target),
        ("GET", Some(name)) => get(store, now, request, &target, name),
        ("PATCH" | "PUT", Some(name)) => {
            if !access.may_write() {
                let verb = if request.method == "PUT" { "update" } else { "patch" };
                return Err(Refusal::forbidden("rehearsal", verb, target.kind, target.namespace.unwrap_or_default(), name));
            }
            write(store, request, &target, name).map(Answer::Object)
        }
        ("POST" | "DELETE", _) => Err(Refusal::not_rehearsed(format!("{} of {}", request.method, target.kind.plural))),
        _ => Err(Refusal::method_not_allowed()),
    }
}

fn target(path: &str) -> Option<Target<'_>> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
        rest => (None, rest),
    };
    let kind = Kind::at(group, version, rest.first()?)?;
    let (name, subresource) = (rest.get(1).copied(), rest.get(2).copied());
    let fits = rest.len() <= 3 && kind.namespaced | namespace.is_none() && !(kind.namespaced && namespace.is_none() && name.is_some());
    fits.then_some(Target { kind, namespace, name, subresource })
}

/// Says why there is nothing at a path.
fn nowhere(path: &str) -> Refusal {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let known = match parts.as_slice() {
        ["api", version, ..] => Kind::serves("", version),
        ["apis", group, version, ..] => Kind::serves(group, version),
        _ => false,
    };
    if known { Refusal::no_such_path() } else { Refusal::no_such_group() }
}

/// Refuses what it does not know: guessing would make the rehearsal lie.
fn known<'q>(request: &'q Request<'_>, names: &[&str]) -> Result<impl Fn(&str) -> Option<&'q str>, Refusal> {
    if let Some((name, value)) = request.query.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        return Err(Refusal::not_rehearsed(format!("{} {} with {name}={value}", request.method, request.path)));
    }
    let query = request.query;
    Ok(move |name: &str| query.iter().find(|(it, value)| it == name && !value.is_empty()).map(|(_, value)| value.as_str()))
}

const LIST_OPTIONS: &[&str] = &[
    "labelSelector",
    "fieldSelector",
    "limit",
    "continue",
    "resourceVersion",
    "resourceVersionMatch",
    "watch",
    "timeoutSeconds",
    "timeout",
    "allowWatchBookmarks",
    "sendInitialEvents",
    "includeObject",
    "pretty",
];

fn list(store: &Store, now: Timestamp, request: &Request<'_>, target: &Target<'_>) -> Result<Answer, Refusal> {
    let option = known(request, LIST_OPTIONS)?;
    let number = |name: &str| {
        let text = option(name);
        text.map(|it| it.parse::<u64>().map_err(|_| Refusal::bad_request(format!("invalid value for {name}: {it}")))).transpose()
    };
    let selection = Selection {
        kind: target.kind,
        namespace: target.namespace.map(str::to_owned),
        labels: LabelSelector::parse(option("labelSelector").unwrap_or_default())?,
        fields: FieldSelector::parse(option("fieldSelector").unwrap_or_default(), target.kind.kind)?,
        shape: Shape::of(request.accept)?,
    };
    if !option("watch").is_some_and(|it| it == "true" || it == "1") {
        let limit = number("limit")?.filter(|it| *it > 0).unwrap_or(u64::MAX);
        let resume = number("continue")?.unwrap_or(0);
        let size = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
        return Ok(Answer::Object(selection.list(store, size(limit), size(resume), now)));
    }
    let initial = option("sendInitialEvents") == Some("true");
    let after = number("resourceVersion")?.filter(|it| *it > 0 && !initial);
    if let Some(Err(oldest)) = after.map(|it| store.since(it).map(drop)) {
        return Err(Refusal::gone(after.unwrap_or_default(), oldest));
    }
    let lasts = Duration::from_secs(number("timeoutSeconds")?.unwrap_or(1800));
    let bookmarks = option("allowWatchBookmarks").is_some_and(|it| it == "true" || it == "1");
    Ok(Answer::Watch(Box::new(Watching { selection, after, bookmarks, marks_initial_end: initial, lasts })))
}

fn get(store: &Store, now: Timestamp, request: &Request<'_>, target: &Target<'_>, name: &str) -> Result<Answer, Refusal> {
    let _ = known(request, &["resourceVersion", "includeObject", "pretty"])?;
    let (_, object) = find(store, target, name)?;
    if target.subresource.is_some() {
        return Ok(Answer::Object(scale_of(target, &object)?));
    }
    let metadata = json!({ "resourceVersion": object["metadata"]["resourceVersion"] });
    Ok(Answer::Object(match Shape::of(request.accept)? {
        Shape::Plain => object,
        Shape::Table => table(target.kind, &[&object], &metadata, true, now),
    }))
}

fn find(store: &Store, target: &Target<'_>, name: &str) -> Result<(Key, Value), Refusal> {
    let key = Key::new(target.kind.group, target.kind.kind, target.namespace.unwrap_or_default(), name);
    let object = store.get(&key).ok_or_else(|| Refusal::not_found(target.kind, name))?;
    Ok((key.clone(), Value::clone(object)))
}

fn write(store: &mut Store, request: &Request<'_>, target: &Target<'_>, name: &str) -> Result<Value, Refusal> {
    let _ = known(request, &["fieldManager", "fieldValidation", "pretty"])?;
    if !target.kind.patched || (request.method == "PUT" && target.subresource.is_none()) {
        return Err(Refusal::not_rehearsed(format!("{} of {}", request.method, target.kind.plural)));
    }
    let (key, before) = find(store, target, name)?;
    let shown = if target.subresource.is_some() { scale_of(target, &before)? } else { before.clone() };
    let asked = if request.method == "PUT" {
        serde_json::from_slice(request.body).map_err(|why| Refusal::bad_request(format!("error decoding body: {why}")))?
    } else {
        let custom = target.kind.group.contains('.');
        PatchKind::of(request.content_type, custom)?.apply(&shown, request.body)?
    };
    refuse_another(target.kind, name, &shown, &asked)?;
    let mut after = if target.subresource.is_some() { rescaled(&before, &asked)? } else { asked };
    after["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
    after = tidied(defaulted(after));
    refuse_invalid(Some(&before), &after)?;
    store.update(&key, |object| *object = after);
    let (_, now) = find(store, target, name)?;
    if target.subresource.is_some() { scale_of(target, &now) } else { Ok(now) }
}

/// Refuses a change of who the object is, and one that was made for another version of it.
fn refuse_another(kind: &'static Kind, name: &str, before: &Value, after: &Value) -> Result<(), Refusal> {
    let same = |pointer: &str| after.pointer(pointer).is_none_or(|it| before.pointer(pointer) == Some(it));
    if !same("/metadata/resourceVersion") || !same("/metadata/uid") {
        return Err(Refusal::conflict(kind, name));
    }
    if ["/metadata/name", "/metadata/namespace", "/kind", "/apiVersion"].iter().any(|it| before.pointer(it) != after.pointer(it)) {
        return Err(Refusal::bad_request("the name, namespace and kind of the object do not match those of the request"));
    }
    Ok(())
}

/// Empty maps of annotations and labels are not kept.
fn tidied(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|name, value| !(matches!(name.as_str(), "annotations" | "labels") && (value.is_null() || *value == json!({}))));
    }
    object
}

fn scale_of(target: &Target<'_>, object: &Value) -> Result<Value, Refusal> {
    if target.subresource != Some("scale") || target.kind.kind != "Deployment" {
        return Err(Refusal::no_such_path());
    }
    let metadata = &object["metadata"];
    let labels = object["spec"]["selector"]["matchLabels"].as_object().into_iter().flatten();
    let selector: Vec<String> = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    Ok(json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": { "replicas": object["spec"]["replicas"] },
        "status": { "replicas": object["status"]["replicas"].as_u64().unwrap_or(0), "selector": selector.join(",") },
    }))
}

fn rescaled(deployment: &Value, scale: &Value) -> Result<Value, Refusal> {
    let mut after = deployment.clone();
    let replicas = scale["spec"].get("replicas").cloned().unwrap_or(json!(0));
    if !replicas.is_i64() && !replicas.is_u64() {
        return Err(Refusal::bad_request("spec.replicas of a Scale is a number"));
    }
    after["spec"]["replicas"] = replicas;
    Ok(after)
}
