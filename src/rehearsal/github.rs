//! GitHub's release pages: the few REST calls a release tool makes, in GitHub's shapes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::{StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::git::refs_of;
use super::stage::{Backstage, Door, EventLog, NotUnderstood, Query, Server, json_body, known_fields};
use crate::error::Result;
use crate::io::clock;

/// The app's repository on GitHub.
pub const REPOSITORY: &str = "tomoda-labs/tomoda";

const CREATED: &[&str] = &["tag_name", "target_commitish", "name", "body", "draft", "prerelease", "make_latest", "generate_release_notes"];
const DOCUMENTATION: &str = "https://docs.github.com/rest/releases/releases";

/// A running GitHub.
#[derive(Debug)]
pub struct GitHub {
    server: Server,
    desk: Desk,
}

#[derive(Clone, Debug)]
struct Desk {
    url: String,
    repository: PathBuf,
    events: EventLog,
    releases: Arc<Mutex<Vec<Value>>>,
}

impl GitHub {
    /// Starts it over the app's bare repository, whose tags can have release pages.
    pub async fn start(repository: PathBuf, backstage: &Backstage) -> Result<Self> {
        let door = Door::open("github", backstage).await?;
        let desk = Desk { url: door.url(), repository, events: backstage.events.clone(), releases: Arc::default() };
        let router = Router::new()
            .route("/repos/{owner}/{repo}/releases", get(list).post(create))
            .route("/repos/{owner}/{repo}/releases/tags/{tag}", get(by_tag))
            .route("/repos/{owner}/{repo}/releases/{id}", get(by_id).patch(edit))
            .layer(middleware::from_fn(only_known))
            .with_state(desk.clone());
        Ok(Self { server: door.serve(router), desk })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// The release pages, as GitHub shows them.
    pub fn releases(&self) -> Vec<Value> {
        self.desk.releases().clone()
    }
}

impl Desk {
    fn releases(&self) -> MutexGuard<'_, Vec<Value>> {
        self.releases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The object a tag of the repository points to.
    fn has_tag(&self, tag: &str) -> bool {
        refs_of(&self.repository).is_ok_and(|refs| refs.contains_key(&format!("refs/tags/{tag}")))
    }
}

type Address = Path<(String, String)>;

/// GitHub turns away who has no token, and programs that do not say what they are.
async fn only_known(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !request.headers().contains_key(USER_AGENT) {
        let message = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
        return (StatusCode::FORBIDDEN, message).into_response();
    }
    if !request.headers().contains_key(AUTHORIZATION) {
        return problem(StatusCode::UNAUTHORIZED, "Requires authentication");
    }
    if !path.starts_with(&format!("/repos/{REPOSITORY}/")) {
        return not_found();
    }
    next.run(request).await
}

async fn list(State(desk): State<Desk>, uri: Uri) -> Result<Response, NotUnderstood> {
    let query = Query::of(&uri, &["per_page", "page"])?;
    let number = |key: &str, otherwise: usize| query.get(key).and_then(|it| it.parse().ok()).unwrap_or(otherwise);
    let (size, page) = (number("per_page", 30).clamp(1, 100), number("page", 1).max(1));
    let releases: Vec<Value> = desk.releases().iter().rev().skip((page - 1) * size).take(size).cloned().collect();
    Ok(axum::Json(releases).into_response())
}

async fn by_tag(State(desk): State<Desk>, Path((_, _, tag)): Path<(String, String, String)>, uri: Uri) -> Result<Response, NotUnderstood> {
    Query::of(&uri, &[])?;
    let found = desk.releases().iter().find(|it| it["tag_name"] == tag && it["draft"] == false).cloned();
    Ok(found.map_or_else(not_found, |it| axum::Json(it).into_response()))
}

async fn by_id(State(desk): State<Desk>, Path((_, _, id)): Path<(String, String, u64)>, uri: Uri) -> Result<Response, NotUnderstood> {
    Query::of(&uri, &[])?;
    let found = desk.releases().iter().find(|it| it["id"] == id).cloned();
    Ok(found.map_or_else(not_found, |it| axum::Json(it).into_response()))
}

async fn create(State(desk): State<Desk>, Path(_): Address, uri: Uri, body: Bytes) -> Result<Response, NotUnderstood> {
    Query::of(&uri, &[])?;
    let body = json_body(&body)?;
    known_fields(&body, CREATED)?;
    let Some(tag) = body["tag_name"].as_str() else { return Ok(invalid("missing_field")) };
    if !desk.has_tag(tag) {
        return Err(NotUnderstood::new(format!("a release page for {tag:?}, a tag that does not exist: GitHub would create the tag")));
    }
    let mut releases = desk.releases();
    if releases.iter().any(|it| it["tag_name"] == tag) {
        return Ok(invalid("already_exists"));
    }
    let release = release(&desk.url, releases.len() as u64 + 1, tag, &body);
    releases.push(release.clone());
    desk.events.add("github", format!("the release page of {tag} is there"));
    Ok((StatusCode::CREATED, axum::Json(release)).into_response())
}

async fn edit(
    State(desk): State<Desk>,
    Path((_, _, id)): Path<(String, String, u64)>,
    uri: Uri,
    body: Bytes,
) -> Result<Response, NotUnderstood> {
    Query::of(&uri, &[])?;
    let body = json_body(&body)?;
    known_fields(&body, CREATED)?;
    let mut releases = desk.releases();
    let Some(release) = releases.iter_mut().find(|it| it["id"] == id) else { return Ok(not_found()) };
    let edited: BTreeSet<&str> = ["name", "body", "draft", "prerelease"].into();
    for (key, value) in body.as_object().into_iter().flatten().filter(|(key, _)| edited.contains(key.as_str())) {
        release[key] = value.clone();
    }
    Ok(axum::Json(release.clone()).into_response())
}

fn release(api: &str, id: u64, tag: &str, asked: &Value) -> Value {
    let or = |key: &str, otherwise: Value| if asked[key].is_null() { otherwise } else { asked[key].clone() };
    let url = format!("{api}/repos/{REPOSITORY}/releases/{id}");
    let now = clock::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let draft = or("draft", json!(false));
    json!({
        "url": url,
        "html_url": format!("https://github.com/{REPOSITORY}/releases/tag/{tag}"),
        "assets_url": format!("{url}/assets"),
        "upload_url": format!("{url}/assets{{?name,label}}"),
        "tarball_url": format!("{api}/repos/{REPOSITORY}/tarball/{tag}"),
        "zipball_url": format!("{api}/repos/{REPOSITORY}/zipball/{tag}"),
        "id": id,
        "node_id": format!("RE_{id}"),
        "author": author(api),
        "tag_name": tag,
        "target_commitish": or("target_commitish", json!("main")),
        "name": or("name", json!(tag)),
        "body": or("body", Value::Null),
        "immutable": false,
        "prerelease": or("prerelease", json!(false)),
        "created_at": now,
        "published_at": if draft == true { Value::Null } else { json!(now) },
        "draft": draft,
        "assets": [],
    })
}

fn author(api: &str) -> Value {
    let url = format!("{api}/users/release-bot");
    let below = |what: &str| json!(format!("{url}/{what}"));
    json!({
        "login": "release-bot",
        "id": 1,
        "node_id": "U_1",
        "avatar_url": below("avatar"),
        "gravatar_id": "",
        "url": url,
        "html_url": "https://github.com/release-bot",
        "followers_url": below("followers"),
        "following_url": below("following{/other_user}"),
        "gists_url": below("gists{/gist_id}"),
        "starred_url": below("starred{/owner}{/repo}"),
        "subscriptions_url": below("subscriptions"),
        "organizations_url": below("orgs"),
        "repos_url": below("repos"),
        "events_url": below("events{/privacy}"),
        "received_events_url": below("received_events"),
        "type": "User",
        "site_admin": false,
    })
}

fn invalid(code: &str) -> Response {
    let body = json!({
        "message": "Validation Failed",
        "errors": [{"resource": "Release", "code": code, "field": "tag_name"}],
        "documentation_url": DOCUMENTATION,
        "status": "422",
    });
    (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(body)).into_response()
}

fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "Not Found")
}

fn problem(status: StatusCode, message: &str) -> Response {
    let body = json!({"message": message, "documentation_url": DOCUMENTATION, "status": status.as_u16().to_string()});
    (status, axum::Json(body)).into_response()
}
