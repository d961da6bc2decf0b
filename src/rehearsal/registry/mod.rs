//! An OCI registry that answers as Artifact Registry does.
//!
//! Here: the distribution API, Google's `manifest` extension of the tag list, tag immutability, the bearer challenge.
//! Never here: who pushes and when; see `cloud_build/run.rs`.
//! Start reading at [`Images`], what is in it. Used by the world, its Cloud Build and its cluster.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::json;

use super::stage::{Backstage, Chance, Door, NotUnderstood, Query, Server};
use crate::error::Result;

mod image;
mod images;
mod problem;
mod pull;
mod push;

pub use image::{Image, digest_of};
pub use images::Images;
use problem::Problem;

/// No blob of the rehearsal is larger.
const LARGEST_BODY: usize = 256 << 20;

/// What an operation of the registry answers.
type Answer = Result<Response, Refusal>;

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    server: Server,
}

#[derive(Clone)]
struct Desk {
    url: String,
    images: Images,
    uploads: push::Uploads,
}

impl Registry {
    /// Starts it over these images.
    pub async fn start(images: Images, chance: &Chance, backstage: &Backstage) -> Result<Self> {
        let door = Door::open("registry", backstage).await?;
        let desk = Desk { url: door.url(), images, uploads: push::Uploads::new(chance) };
        let router =
            Router::new().route("/v2/", get(base)).route("/v2/token", get(token)).route("/v2/{*rest}", any(dispatch)).with_state(desk);
        Ok(Self { server: door.serve(router) })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.server.url()
    }
}

/// Why a request is not served: the registry's own no, or something the rehearsal does not know.
enum Refusal {
    Problem(Problem),
    NotUnderstood(NotUnderstood),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<NotUnderstood> for Refusal {
    fn from(it: NotUnderstood) -> Self {
        Self::NotUnderstood(it)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::NotUnderstood(it) => it.into_response(),
        }
    }
}

/// The parts of a path below `/v2/`: the image's name may contain slashes.
enum Target<'a> {
    Tags,
    Manifest(&'a str),
    Blob(&'a str),
    Uploads,
    Upload(&'a str),
}

fn target(rest: &str) -> Option<(&str, Target<'_>)> {
    if let Some(name) = rest.strip_suffix("/tags/list") {
        return Some((name, Target::Tags));
    }
    if let Some(name) = rest.strip_suffix("/blobs/uploads/").or_else(|| rest.strip_suffix("/blobs/uploads")) {
        return Some((name, Target::Uploads));
    }
    let (head, last) = rest.rsplit_once('/')?;
    if let Some(name) = head.strip_suffix("/blobs/uploads") {
        return Some((name, Target::Upload(last)));
    }
    if let Some(name) = head.strip_suffix("/blobs") {
        return Some((name, Target::Blob(last)));
    }
    head.strip_suffix("/manifests").map(|name| (name, Target::Manifest(last)))
}

async fn base(State(desk): State<Desk>, uri: Uri, headers: HeaderMap) -> Answer {
    Query::of(&uri, &[])?;
    if !is_known(&headers) {
        return Ok(challenge(&desk));
    }
    Ok(axum::Json(json!({})).into_response())
}

/// Anybody gets a token: who may read what is not what the rehearsal is about.
async fn token(uri: Uri) -> Answer {
    Query::of(&uri, &["service", "scope", "account", "client_id", "offline_token"])?;
    Ok(axum::Json(json!({"token": "rehearsal"})).into_response())
}

async fn dispatch(State(desk): State<Desk>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    if !is_known(&parts.headers) {
        return Ok(challenge(&desk));
    }
    let unknown = || NotUnderstood::new(format!("{} {}", parts.method, parts.uri.path()));
    let rest = parts.uri.path().strip_prefix("/v2/").unwrap_or_default().to_owned();
    let (name, target) = target(&rest).ok_or_else(unknown)?;
    let (headers, uri) = (&parts.headers, &parts.uri);
    match (&parts.method, target) {
        (&Method::GET, Target::Tags) => pull::tags(&desk, name, uri),
        (&Method::GET | &Method::HEAD, Target::Manifest(reference)) => pull::manifest(&desk, name, reference, uri, headers),
        (&Method::GET | &Method::HEAD, Target::Blob(digest)) => pull::blob(&desk, name, digest, uri),
        (&Method::PUT, Target::Manifest(reference)) => push::manifest(&desk, name, reference, uri, headers, &read(body).await?),
        (&Method::DELETE, Target::Manifest(reference)) => push::delete(&desk, name, reference, uri),
        (&Method::POST, Target::Uploads) => push::begin(&desk, name, uri, &read(body).await?),
        (&Method::GET, Target::Upload(id)) => push::progress(&desk, name, id, uri),
        (&Method::PATCH, Target::Upload(id)) => push::append(&desk, name, id, uri, &read(body).await?),
        (&Method::PUT, Target::Upload(id)) => push::finish(&desk, name, id, uri, &read(body).await?),
        _ => Err(unknown().into()),
    }
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    let too_large = |_| Problem::new(StatusCode::BAD_REQUEST, "SIZE_INVALID", "the body ended early or is too large");
    Ok(axum::body::to_bytes(body, LARGEST_BODY).await.map_err(too_large)?)
}

/// Whether a request says who it is from. Anybody will do, nobody will not.
fn is_known(headers: &HeaderMap) -> bool {
    let value = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok()).unwrap_or_default();
    value.split_once(' ').is_some_and(|(scheme, rest)| {
        (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("basic")) && !rest.trim().is_empty()
    })
}

/// Names the realm alone: on `pkg.dev` neither `service` nor `scope` can be counted on.
fn challenge(desk: &Desk) -> Response {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication failed");
    let realm = format!("Bearer realm=\"{}/v2/token\"", desk.url);
    ([(WWW_AUTHENTICATE, realm)], problem.into_response()).into_response()
}
