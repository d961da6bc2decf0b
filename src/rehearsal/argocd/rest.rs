//! Argo CD's own API, for those who cannot reach Kubernetes: it reads, and it asks for looks.

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Value, json};

use super::application::{self, REFRESH};
use super::cluster::{Shared, header};
use crate::rehearsal::stage::{NotUnderstood, Query};

/// The routes.
pub(super) fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/api/version", any(version))
        .route("/api/v1/applications", any(list))
        .route("/api/v1/applications/{name}", any(get))
        .with_state(shared)
}

/// How grpc-gateway says no.
fn refuse(status: u16, code: u8, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(json!({ "error": message, "code": code, "message": message }))).into_response()
}

/// Answers why a request does not come in.
fn stopped(shared: &Shared, request: &Request) -> Option<Response> {
    if request.method() != "GET" {
        if header(request.headers(), CONTENT_TYPE) != "application/json" {
            return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, "Invalid content type").into_response());
        }
        return Some(NotUnderstood::new(format!("{} {}", request.method(), request.uri().path())).into_response());
    }
    let wanted = shared.current().setup.argocd_token.clone()?;
    let shown = header(request.headers(), AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
    // What is not shaped like a JWT is not looked at.
    if shown.split('.').count() != 3 {
        return Some(refuse(401, 16, "no session information"));
    }
    (shown != wanted.expose()).then(|| refuse(401, 16, "invalid session: token signature is invalid"))
}

async fn version() -> Response {
    Json(json!({ "Version": "v3.3.0+rehearsal" })).into_response()
}

async fn list(State(shared): State<Shared>, request: Request) -> Response {
    if let Some(response) = stopped(&shared, &request) {
        return response;
    }
    let query = match Query::of(request.uri(), &["name", "project", "projects", "appNamespace"]) {
        Ok(query) => query,
        Err(what) => return what.into_response(),
    };
    let simulation = shared.current();
    let is = |it: &Value, key: &str, pointer: &str| {
        query.get(key).is_none_or(|wanted| it.pointer(pointer).and_then(Value::as_str) == Some(wanted))
    };
    let chosen = |it: &Value| {
        is(it, "name", "/metadata/name")
            && is(it, "appNamespace", "/metadata/namespace")
            && ["project", "projects"].iter().all(|key| is(it, key, "/spec/project"))
    };
    let all = simulation.store().list("argoproj.io", "Application", None).map(|(_, it)| it);
    let items: Vec<Value> = all.filter(|it| chosen(it)).map(|it| shown(it)).collect();
    let version = simulation.store().version().to_string();
    Json(json!({ "metadata": { "resourceVersion": version }, "items": items })).into_response()
}

async fn get(State(shared): State<Shared>, request: Request) -> Response {
    if let Some(response) = stopped(&shared, &request) {
        return response;
    }
    let query = match Query::of(request.uri(), &["project", "appNamespace", "refresh", "resourceVersion"]) {
        Ok(query) => query,
        Err(what) => return what.into_response(),
    };
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    let found = find(&shared, name, &query);
    let (Ok(object), Some(kind)) = (&found, query.get("refresh")) else {
        return found.map_or_else(|response| *response, |it| Json(shown(&it)).into_response());
    };
    let kind = if kind == "hard" { "hard" } else { "normal" };
    let key = crate::rehearsal::kube::Key::of(object);
    let mut news = shared.current().store().subscribe();
    shared.current().write(|store| store.update(&key, |it| it["metadata"]["annotations"][REFRESH] = json!(kind)));
    // As the real server: no limit but the client's.
    loop {
        news.mark_unchanged();
        match find(&shared, name, &query) {
            Ok(it) if application::wants_refresh(&it) => {}
            Ok(it) => return Json(shown(&it)).into_response(),
            Err(response) => return *response,
        }
        if news.changed().await.is_err() {
            return refuse(503, 14, "the server is shutting down");
        }
    }
}

/// Who asks without a project does not learn what exists.
fn find(shared: &Shared, name: &str, query: &Query) -> Result<Value, Box<Response>> {
    let simulation = shared.current();
    let mut all = simulation.store().list("argoproj.io", "Application", query.get("appNamespace")).map(|(_, it)| it);
    let found = all.find(|it| it["metadata"]["name"] == name);
    match (found, query.get("project")) {
        (Some(it), None) => Ok(Value::clone(it)),
        (Some(it), Some(project)) if it["spec"]["project"] == project => Ok(Value::clone(it)),
        (_, None) => Err(Box::new(refuse(403, 7, "permission denied"))),
        _ => Err(Box::new(refuse(404, 5, &format!("applications.argoproj.io \"{name}\" not found")))),
    }
}

/// As this API shows an Application: without the words that only Kubernetes needs.
fn shown(application: &Value) -> Value {
    let mut shown = application.clone();
    if let Some(fields) = shown.as_object_mut() {
        fields.shift_remove("apiVersion");
        fields.shift_remove("kind");
    }
    shown
}
