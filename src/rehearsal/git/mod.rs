//! Git over smart HTTP: the two repositories of the world, served by git itself.
//!
//! Here: `git http-backend` behind a route, and the notice that a push arrived.
//! Never here: what a push sets off; see `world.rs`.
//! Start reading at [`GitServer`]. Used by the world.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::mpsc;

use super::stage::{Backstage, Door, NotUnderstood, Query, Server};
use crate::error::Result;

mod backend;
mod refs;

pub use refs::{Moved, refs_of};

/// Where the bare repositories are.
pub const APP: &str = "app";
/// The repository that says what runs.
pub const CONFIG: &str = "config";

/// A push that arrived: which repository, and which of its refs moved.
#[derive(Clone, Debug)]
pub struct Push {
    /// [`APP`] or [`CONFIG`].
    pub repository: &'static str,
    /// What moved.
    pub moved: Vec<Moved>,
}

/// The git server of a world.
#[derive(Debug)]
pub struct GitServer {
    server: Server,
    desk: Desk,
}

#[derive(Clone, Debug)]
struct Desk {
    root: PathBuf,
    backend: PathBuf,
    known: Arc<Mutex<BTreeMap<&'static str, refs::Refs>>>,
    pushes: mpsc::UnboundedSender<Push>,
}

impl GitServer {
    /// Serves `app.git` and `config.git` of a folder. What is pushed is told to `pushes`.
    pub async fn start(root: &Path, pushes: mpsc::UnboundedSender<Push>, backstage: &Backstage) -> Result<Self> {
        let door = Door::open("git", backstage).await?;
        let desk = Desk { root: root.to_owned(), backend: backend::find().await?, known: Arc::default(), pushes };
        for repository in [APP, CONFIG] {
            let refs = refs_of(&desk.dir(repository))?;
            desk.known.lock().unwrap_or_else(PoisonError::into_inner).insert(repository, refs);
        }
        let router = Router::new()
            .route("/{repository}/info/refs", get(info_refs))
            .route("/{repository}/HEAD", get(dumb))
            .route("/{repository}/git-upload-pack", post(upload_pack))
            .route("/{repository}/git-receive-pack", post(receive_pack))
            .with_state(desk.clone());
        Ok(Self { server: door.serve(router), desk })
    }

    /// The address of one of the repositories.
    pub fn url(&self, repository: &str) -> String {
        format!("{}/{repository}.git", self.server.url())
    }

    /// Where one of the repositories is on disk.
    pub fn dir(&self, repository: &str) -> PathBuf {
        self.desk.dir(repository)
    }
}

impl Desk {
    fn dir(&self, repository: &str) -> PathBuf {
        self.root.join(format!("{repository}.git"))
    }

    /// Looks what a push changed and tells it. Reading and noting are one step, so that two pushes at once are told once each.
    fn push_ended(&self, repository: &'static str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(now) = refs_of(&self.dir(repository)) else { return };
        let before = known.insert(repository, now.clone()).unwrap_or_default();
        let moved = refs::moved(&before, &now);
        if !moved.is_empty() {
            self.pushes.send(Push { repository, moved }).ok();
        }
    }
}

/// The repository a path names.
fn repository(uri: &Uri) -> Option<&'static str> {
    match uri.path().split('/').nth(1)? {
        "app.git" | "app" => Some(APP),
        "config.git" | "config" => Some(CONFIG),
        _ => None,
    }
}

fn no_such_repository() -> Response {
    (StatusCode::NOT_FOUND, "Repository not found.\n").into_response()
}

async fn info_refs(State(desk): State<Desk>, request: Request) -> Result<Response, NotUnderstood> {
    let query = Query::of(request.uri(), &["service"])?;
    let service = query.get("service").unwrap_or_default();
    if !["git-upload-pack", "git-receive-pack"].contains(&service) {
        return Err(NotUnderstood::new(format!("the git service {service:?}; only smart HTTP is spoken")));
    }
    Ok(backend_or_404(desk, "/info/refs", request, false).await)
}

/// `HEAD` is asked for by clients that fall back to dumb HTTP, and by nobody else.
async fn dumb(uri: Uri) -> NotUnderstood {
    NotUnderstood::new(format!("{}: only smart HTTP is spoken", uri.path()))
}

async fn upload_pack(State(desk): State<Desk>, request: Request) -> Response {
    backend_or_404(desk, "/git-upload-pack", request, false).await
}

async fn receive_pack(State(desk): State<Desk>, request: Request) -> Response {
    backend_or_404(desk, "/git-receive-pack", request, true).await
}

async fn backend_or_404(desk: Desk, path: &'static str, request: Request, may_push: bool) -> Response {
    let Some(repository) = repository(request.uri()) else { return no_such_repository() };
    let call = backend::Call { program: desk.backend.clone(), root: desk.root.clone(), path_info: format!("/{repository}.git{path}") };
    let answer = backend::call(call, request, move || {
        if may_push {
            desk.push_ended(repository);
        }
    });
    answer.await.unwrap_or_else(|why| (StatusCode::INTERNAL_SERVER_ERROR, format!("git http-backend: {why}\n")).into_response())
}
