//! The machine on the wire: a Kubernetes API, an Argo CD API, and somebody who turns the crank.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::rest;
use super::simulation::{Setup, Simulation, Truth};
use super::timing::Timing;
use crate::error::Result;
use crate::rehearsal::cluster::{ClusterConfig, Running};
use crate::rehearsal::kube::api::{self, Answer};
use crate::rehearsal::kube::{Access, Clock, Refusal, stream};
use crate::rehearsal::stage::{Door, NotUnderstood, Server};

/// How long ago a cluster's applications were created: at the start everything is settled.
const AGE: Duration = Duration::from_secs(600);

/// The largest body that is read.
const MOST_READ: usize = 4 << 20;

/// The cluster: a Kubernetes API, an Argo CD, and what runs there.
#[derive(Debug)]
pub struct Cluster {
    shared: Shared,
    kubernetes: Server,
    argocd: Server,
    driver: JoinHandle<()>,
}

#[derive(Clone, Debug)]
pub(super) struct Shared {
    simulation: Arc<Mutex<Simulation>>,
    clock: Clock,
}

impl Shared {
    /// The machine, with everything done that is due.
    pub(super) fn current(&self) -> MutexGuard<'_, Simulation> {
        let mut simulation = self.simulation.lock().unwrap_or_else(PoisonError::into_inner);
        simulation.run_until(self.clock.now());
        simulation
    }
}

impl From<ClusterConfig> for Setup {
    fn from(it: ClusterConfig) -> Self {
        let registry = it.registry;
        Self {
            repository: it.config_repo_dir,
            applications: it.applications,
            images: Arc::new(move |image| {
                let (name, reference) = split_image(image);
                registry.resolve(name, reference)
            }),
            timing: Timing::from(it.timing),
            clock: Clock::Wall,
            access: Access::Open,
            argocd_token: None,
            backstage: it.backstage,
        }
    }
}

/// An image's name, and what of it is wanted: its digest, else its tag, else `latest`.
fn split_image(image: &str) -> (&str, &str) {
    let (rest, digest) = image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
    let (name, tag) = match rest.rfind(':').filter(|at| !rest[*at..].contains('/')) {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, "latest"),
    };
    (name, digest.unwrap_or(tag))
}

impl Cluster {
    /// Starts it. Its applications were created a while ago and are settled.
    pub async fn start(config: ClusterConfig) -> Result<Self> {
        Self::raise(Setup::from(config)).await
    }

    /// Starts it with everything that can be chosen.
    pub async fn raise(setup: Setup) -> Result<Self> {
        let kubernetes = Door::open("kubernetes", &setup.backstage).await?;
        let argocd = Door::open("argocd", &setup.backstage).await?;
        let (clock, now) = (setup.clock.clone(), setup.clock.now());
        let simulation = Simulation::new(setup, now - AGE);
        let shared = Shared { simulation: Arc::new(Mutex::new(simulation)), clock };
        drop(shared.current());
        let routes = Router::new().route("/", any(answer)).route("/{*path}", any(answer)).with_state(shared.clone());
        Ok(Self {
            kubernetes: kubernetes.serve(routes),
            argocd: argocd.serve(rest::routes(shared.clone())),
            driver: tokio::spawn(drive(shared.clone())),
            shared,
        })
    }

    /// The Kubernetes API's address.
    pub fn url(&self) -> String {
        self.kubernetes.url().to_owned()
    }

    /// A kubeconfig for it.
    pub fn kubeconfig(&self) -> String {
        let user = match self.shared.current().setup.access.token() {
            Some(token) => format!("{{ token: \"{}\" }}", token.expose()),
            None => "{}".to_owned(),
        };
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n  - name: rehearsal\n    cluster: {{ server: \"{}\" }}\nusers:\n  - name: rehearsal\n    user: {user}\ncontexts:\n  - name: rehearsal\n    context: {{ cluster: rehearsal, user: rehearsal }}\ncurrent-context: rehearsal\n",
            self.kubernetes.url()
        )
    }

    /// Argo CD's address.
    pub fn argocd_url(&self) -> String {
        self.argocd.url().to_owned()
    }

    /// What a deployment runs.
    pub fn running(&self, namespace: &str, deployment: &str) -> Option<Running> {
        self.shared.current().running(namespace, deployment)
    }

    /// What is so, whatever the Application says.
    pub fn truth(&self, application: &str) -> Option<Truth> {
        self.shared.current().truth(application)
    }

    /// Tells that the config repository has a new tip. Without a webhook nobody listens.
    pub fn git_moved(&self) {
        self.shared.current().git_moved();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Lets happen what is due, when it is due.
async fn drive(shared: Shared) {
    let mut news = shared.current().store().subscribe();
    loop {
        let due = {
            let simulation = shared.current();
            news.mark_unchanged();
            simulation.next_due()
        };
        tokio::select! {
            () = shared.clock.reach(due) => {}
            changed = news.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MOST_READ).await else {
        return refuse(&Refusal::bad_request("the body of the request is too large or was cut off"));
    };
    let query: Vec<(String, String)> = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let asked = api::Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: &query,
        accept: header(&parts.headers, ACCEPT),
        content_type: header(&parts.headers, CONTENT_TYPE),
        body: &body,
    };
    let answered = {
        let mut simulation = shared.current();
        let access = simulation.setup.access.clone();
        let now = simulation.now;
        if access.admits(parts.headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok())) {
            simulation.write(|store| api::answer(store, &access, now, &asked))
        } else {
            Err(Refusal::unauthorized())
        }
    };
    match answered {
        Ok(Answer::Object(Value::String(text))) => text.into_response(),
        Ok(Answer::Object(object)) => Json(object).into_response(),
        Ok(Answer::Watch(watching)) => {
            let clock = shared.clock.clone();
            let lines = stream(*watching, shared.simulation.clone(), Simulation::store, move || clock.now());
            ([(CONTENT_TYPE, "application/json")], Body::from_stream(lines)).into_response()
        }
        Err(refusal) => refuse(&refusal),
    }
}

fn refuse(refusal: &Refusal) -> Response {
    let mut response = refusal.clone().into_response();
    if refusal.code == 501 {
        response.extensions_mut().insert(NotUnderstood::new(&refusal.message));
    }
    response
}

pub(super) fn header(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
}
