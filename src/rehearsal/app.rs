//! Tomoda itself, as far as anybody asks it: `/dev/health` and `/prod/health` tell what really runs there.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::argocd::Cluster;
use super::registry::Images;
use super::stage::{Backstage, Door, NotUnderstood, Query, Server};
use crate::error::Result;

/// The Deployment behind the service that answers.
const WORKLOAD: &str = "tomoda-api";

#[derive(Clone)]
struct Desk {
    cluster: Arc<Cluster>,
    images: Images,
}

/// Starts the app: its addresses answer with what the cluster runs in `tomoda` (dev) and `prod`.
pub(super) async fn start(cluster: Arc<Cluster>, images: Images, backstage: &Backstage) -> Result<Server> {
    let door = Door::open("app", backstage).await?;
    let router = Router::new()
        .route("/dev/health", get(async |State(desk): State<Desk>, uri: Uri| health(&desk, "tomoda", &uri)))
        .route("/prod/health", get(async |State(desk): State<Desk>, uri: Uri| health(&desk, "prod", &uri)))
        .with_state(Desk { cluster, images });
    Ok(door.serve(router))
}

/// What the binary inside the running image would say of itself, or what the load balancer says when no pod is ready.
fn health(desk: &Desk, namespace: &str, uri: &Uri) -> Result<Response, NotUnderstood> {
    Query::of(uri, &[])?;
    let running = desk.cluster.running(namespace, WORKLOAD).filter(|it| it.available);
    let identity = running.and_then(|it| desk.images.identity(repository_of(&it.image), &it.digest));
    Ok(match identity {
        Some((version, commit)) => axum::Json(json!({"status": "ok", "version": version, "commit": commit})).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "no available server\n").into_response(),
    })
}

/// An image's name without its tag and digest.
fn repository_of(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}
