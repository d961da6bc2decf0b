//! The methods of the API: paths, verbs, and what they answer.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::build::{Build, LOCATION, PROJECT, PROJECT_NUMBER};
use super::filter::Filter;
use super::problem::Problem;
use super::recipe::Cause;
use super::trigger::{Fires, Trigger};
use super::wire::{Encoding, query};
use super::yard::Yard;
use crate::io::clock;
use crate::rehearsal::stage::{NotUnderstood, Query, json_body, known_fields};

type Answer = Result<Value, Problem>;

/// What a path names, with the verb behind its colon.
enum Target<'a> {
    Builds,
    Build(&'a str, Option<&'a str>),
    Triggers,
    Trigger(&'a str, Option<&'a str>),
    Operation(&'a str),
}

pub(super) async fn dispatch(State(yard): State<Yard>, method: Method, uri: Uri, body: Bytes) -> Response {
    match answer(&yard, &method, &uri, &body) {
        Ok(value) => (StatusCode::OK, axum::Json(value)).into_response(),
        Err(problem) => problem.into_response(),
    }
}

fn answer(yard: &Yard, method: &Method, uri: &Uri, body: &[u8]) -> Answer {
    let unknown = || NotUnderstood::new(format!("{method} {}", uri.path()));
    let (location, target) = target(uri.path()).ok_or_else(unknown)??;
    let here = location == LOCATION;
    match (method, target) {
        (&Method::GET, Target::Builds) => list(yard, uri, here),
        (&Method::GET, Target::Build(id, None)) => {
            let (_, encoding) = query(uri, &["name", "id"])?;
            Ok(find(yard, id, here)?.json(encoding))
        }
        (&Method::POST, Target::Build(id, Some(verb))) => act(yard, id, verb, uri, body, here),
        (&Method::GET, Target::Triggers) => triggers(yard, uri, here),
        (&Method::GET, Target::Trigger(id, None)) => {
            query(uri, &["name", "triggerId"])?;
            Ok(find_trigger(yard, id, here)?.json(Timestamp::UNIX_EPOCH))
        }
        (&Method::POST, Target::Trigger(id, Some("run"))) => run(yard, id, uri, body, here),
        (&Method::GET, Target::Operation(name)) => operation_by_name(yard, name, uri),
        _ => Err(unknown().into()),
    }
}

/// Reads a path. Without a location it is the old form, which sees the region `global` and nothing else.
fn target(path: &str) -> Option<Result<(&str, Target<'_>), Problem>> {
    let parts: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
    let (project, location, rest) = match parts.as_slice() {
        ["operations", "build", project, name] => return Some(owned(project, "global", Target::Operation(name))),
        ["projects", project, "locations", location, rest @ ..] => (project, *location, rest),
        ["projects", project, rest @ ..] => (project, "global", rest),
        _ => return None,
    };
    let target = match rest {
        ["builds"] => Target::Builds,
        ["builds", build] => {
            let (id, verb) = split_verb(build);
            Target::Build(id, verb)
        }
        ["triggers"] => Target::Triggers,
        ["triggers", trigger] => {
            let (id, verb) = split_verb(trigger);
            Target::Trigger(id, verb)
        }
        ["operations", name] => Target::Operation(name),
        _ => return None,
    };
    Some(owned(project, location, target))
}

fn owned<'a>(project: &str, location: &'a str, target: Target<'a>) -> Result<(&'a str, Target<'a>), Problem> {
    if [PROJECT, PROJECT_NUMBER].contains(&project) { Ok((location, target)) } else { Err(Problem::denied()) }
}

fn split_verb(segment: &str) -> (&str, Option<&str>) {
    segment.split_once(':').map_or((segment, None), |(id, verb)| (id, Some(verb)))
}

fn find(yard: &Yard, id: &str, here: bool) -> Result<Build, Problem> {
    yard.build(id).filter(|_| here).ok_or_else(Problem::not_found)
}

/// A trigger by its id or its name.
fn find_trigger<'a>(yard: &'a Yard, id: &str, here: bool) -> Result<&'a Trigger, Problem> {
    yard.triggers.iter().find(|it| here && (it.id == id || it.name == id)).ok_or_else(Problem::not_found)
}

fn list(yard: &Yard, uri: &Uri, here: bool) -> Answer {
    let (query, encoding) = query(uri, &["filter", "pageSize", "pageToken", "parent"])?;
    let text = query.get("filter").unwrap_or_default();
    let filter = Filter::parse(text).map_err(|why| Problem::invalid(format!("invalid list filter: {why}")))?;
    let before = page_token(&query, text)?;
    let size = page_size(&query)?;
    let mut found: Vec<(usize, Build)> = yard.newest_first();
    found.retain(|(place, build)| here && before.is_none_or(|it| *place < it) && filter.accepts(build));
    let more = found.len() > size;
    found.truncate(size);
    let mut page = json!({});
    if !found.is_empty() {
        page["builds"] = found.iter().map(|(_, build)| build.json(encoding)).collect();
    }
    if let (true, Some((place, _))) = (more, found.last()) {
        page["nextPageToken"] = json!(URL_SAFE_NO_PAD.encode(format!("{place} {text}")));
    }
    Ok(page)
}

/// The place in the order of creation after which a page begins. A token belongs to the filter it was made for.
fn page_token(query: &Query, filter: &str) -> Result<Option<usize>, Problem> {
    let Some(token) = query.get("pageToken").filter(|it| !it.is_empty()) else { return Ok(None) };
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|it| String::from_utf8(it).ok()).unwrap_or_default();
    let place = text.split_once(' ').filter(|(_, made_for)| *made_for == filter).and_then(|(place, _)| place.parse().ok());
    place.map(Some).ok_or_else(|| Problem::invalid("invalid page token"))
}

fn page_size(query: &Query) -> Result<usize, Problem> {
    match query.get("pageSize").map(str::parse::<usize>) {
        None | Some(Ok(0)) => Ok(100),
        Some(Ok(size)) => Ok(size.min(1000)),
        Some(Err(_)) => Err(Problem::invalid("invalid page size")),
    }
}

fn triggers(yard: &Yard, uri: &Uri, here: bool) -> Answer {
    query(uri, &["pageSize", "pageToken", "parent"])?;
    let all: Vec<Value> = yard.triggers.iter().filter(|_| here).map(|it| it.json(Timestamp::UNIX_EPOCH)).collect();
    Ok(if all.is_empty() { json!({}) } else { json!({"triggers": all}) })
}

fn act(yard: &Yard, id: &str, verb: &str, uri: &Uri, body: &[u8], here: bool) -> Answer {
    let (_, encoding) = query(uri, &[])?;
    let body = json_body(body)?;
    let build = find(yard, id, here)?;
    match verb {
        "cancel" => {
            known_fields(&body, &["name", "projectId", "id"])?;
            if !yard.cancel(id) {
                return Err(Problem::precondition(format!("cannot cancel build in state {}", build.status.name())));
            }
            Ok(find(yard, id, here)?.json(encoding))
        }
        "retry" => {
            known_fields(&body, &["name", "projectId", "id"])?;
            let tag = build.substitutions.get("TAG_NAME").filter(|_| build.trigger.fires == Fires::Tag).cloned();
            let again = yard.create(&build.trigger, &Cause { commit: build.commit.clone(), tag }, clock::now());
            yard.run(again.clone());
            Ok(operation(&find(yard, &again, here)?, encoding))
        }
        "approve" => approve(yard, id, &body, encoding, here),
        _ => Err(NotUnderstood::new(format!("the verb {verb:?} of a build")).into()),
    }
}

fn approve(yard: &Yard, id: &str, body: &Value, encoding: Encoding, here: bool) -> Answer {
    known_fields(body, &["name", "approvalResult"])?;
    let result = &body["approvalResult"];
    known_fields(result, &["decision", "comment", "url", "approverAccount", "approvalTime"])?;
    let decision = match &result["decision"] {
        it if *it == "APPROVED" || *it == 1 => "APPROVED",
        it if *it == "REJECTED" || *it == 2 => "REJECTED",
        _ => return Err(Problem::invalid("approval result must have a decision")),
    };
    let text = |key: &str| result[key].as_str().unwrap_or_default();
    if !yard.approve(id, decision, text("comment"), text("url")) {
        return Err(Problem::precondition("build is not pending approval"));
    }
    if decision == "APPROVED" {
        yard.run(id.to_owned());
    }
    Ok(operation(&find(yard, id, here)?, encoding))
}

/// Runs a trigger by hand, on a commit or a tag that the caller names.
fn run(yard: &Yard, id: &str, uri: &Uri, body: &[u8], here: bool) -> Answer {
    let (_, encoding) = query(uri, &["name", "triggerId"])?;
    let body = json_body(body)?;
    known_fields(&body, &["name", "projectId", "triggerId", "source"])?;
    let source = &body["source"];
    known_fields(source, &["projectId", "repoName", "commitSha", "tagName", "branchName", "substitutions", "dir"])?;
    let trigger = find_trigger(yard, id, here)?;
    let tag = source["tagName"].as_str();
    let revision = match (source["commitSha"].as_str(), tag, source["branchName"].as_str()) {
        (Some(commit), _, _) => commit.to_owned(),
        (None, Some(tag), _) => format!("refs/tags/{tag}"),
        (None, None, branch) => format!("refs/heads/{}", branch.unwrap_or("main")),
    };
    let commit = yard.peel(&revision).ok_or_else(|| Problem::invalid(format!("Couldn't read commit {revision}")))?;
    let new = yard.create(trigger, &Cause { commit, tag: tag.map(str::to_owned) }, clock::now());
    yard.run(new.clone());
    Ok(operation(&find(yard, &new, here)?, encoding))
}

fn operation_by_name(yard: &Yard, name: &str, uri: &Uri) -> Answer {
    let (_, encoding) = query(uri, &["name"])?;
    let id = URL_SAFE_NO_PAD.decode(name).ok().and_then(|it| String::from_utf8(it).ok());
    let build = id.and_then(|it| yard.build(&it)).ok_or_else(Problem::not_found)?;
    Ok(operation(&build, encoding))
}

/// The long-running operation that a build is.
fn operation(build: &Build, encoding: Encoding) -> Value {
    let described = build.json(encoding);
    let mut operation = json!({
        "name": format!("operations/build/{PROJECT}/{}", URL_SAFE_NO_PAD.encode(&build.id)),
        "metadata": {"@type": "type.googleapis.com/google.devtools.cloudbuild.v1.BuildOperationMetadata", "build": described},
    });
    if build.status.is_final() {
        let mut response = json!({"@type": "type.googleapis.com/google.devtools.cloudbuild.v1.Build"});
        if let (Some(into), Value::Object(fields)) = (response.as_object_mut(), described) {
            into.extend(fields);
        }
        operation["done"] = json!(true);
        operation["response"] = response;
    }
    operation
}
