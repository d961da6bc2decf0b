//! The Kubernetes API: one client, with a bound on time and size for every call, and a sentence for every fault.
//!
//! Here: which cluster (`config.rs`), the way to it (`proxy.rs`), reading and patching objects as plain JSON.
//! Never here: retries, for who looks looks again; what an object means, which is the business of `observe`.
//! Start reading at [`Cluster`]. Used by `observe` and `live`.

mod config;
mod proxy;

use std::error::Error as StdError;
use std::path::Path;
use std::time::Duration;

use kube::Client;
use kube::api::{GetParams, ListParams, Patch, PatchParams, Request};
use kube::client::{AuthError, Body};
use serde_json::Value;

use super::http::Cause;
use crate::error::{Error, Result};

/// How long one call may take, from connecting to the last byte.
const WITHIN: Duration = Duration::from_secs(10);
/// How long logging in may take; a plugin may have to ask a cloud for a token.
const LOGIN_WITHIN: Duration = Duration::from_secs(30);
/// The most one answer may hold. An Application of a thousand resources has less than one MiB.
const LIMIT: usize = 16 << 20;
/// The most objects one list may bring.
const MOST: u32 = 500;

/// A cluster's API.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    server: String,
    within: Duration,
}

/// A kind of objects in one namespace, as the API addresses it.
#[derive(Clone, Debug)]
pub struct Collection(String);

impl Collection {
    /// `/apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL`, and `/api/v1/…` for the core group (an empty `group_version`).
    pub fn new(group_version: &str, namespace: &str, plural: &str) -> Result<Self> {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if namespace.is_empty() || !namespace.chars().all(fine) {
            return Err(Error::config(format!("“{namespace}” is not the name of a Kubernetes namespace.")));
        }
        Ok(Self(match group_version {
            "" => format!("/api/v1/namespaces/{namespace}/{plural}"),
            group_version => format!("/apis/{group_version}/namespaces/{namespace}/{plural}"),
        }))
    }
}

/// What came of a patch.
#[derive(Clone, Debug, PartialEq)]
pub enum Patched {
    /// It was applied; the object as it is now.
    Done(Box<Value>),
    /// The object is not at the resource version that the patch names.
    Conflict,
    /// It is not allowed.
    Forbidden(String),
}

impl Cluster {
    /// The cluster that `KUBECONFIG`, `~/.kube/config` or the pod's service account names, in this order.
    pub async fn infer() -> Result<Self> {
        Self::connect(config::infer().await?).await
    }

    /// The current context of a kubeconfig file.
    pub async fn from_file(path: &Path) -> Result<Self> {
        Self::connect(config::from_files(&[path.to_owned()]).await?).await
    }

    /// The same cluster with another bound on the time of one call.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Builds the client. Plugins run here, in the way of whoever waits; so they do on a thread of their own and within a time limit.
    async fn connect(named: config::Named) -> Result<Self> {
        let config::Named { mut config, proxy } = named;
        config.default_retry = false;
        config.connect_timeout = Some(WITHIN / 2);
        config.read_timeout = Some(WITHIN);
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        // Not spawn_blocking: a runtime that shuts down would wait for a plugin that hangs.
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        std::thread::spawn(move || {
            let _entered = runtime.enter();
            // Nobody listens any more once the time is over.
            sender.send(proxy::client(config, proxy.as_deref())).ok();
        });
        match tokio::time::timeout(LOGIN_WITHIN, receiver).await {
            Ok(Ok(Ok(client))) => Ok(Self { client, server, within: WITHIN }),
            Ok(Ok(Err(why))) => Err(login_failed(&server, why)),
            Ok(Err(_)) => Err(Error::bug("The thread that logs in to Kubernetes ended without an answer.")),
            Err(_) => {
                Err(Error::remote(format!("Logging in to the Kubernetes API at {server} took longer than {} s.", LOGIN_WITHIN.as_secs()))
                    .hint("The kubeconfig's credential plugin hangs; run `kubectl get pods` to see what it asks for."))
            }
        }
    }

    /// An object, or `None` when there is none of that name.
    pub async fn get(&self, collection: &Collection, name: &str) -> Result<Option<Value>> {
        let request = Request::new(&collection.0).get(name, &GetParams::default());
        let answer = self.call(request, &format!("reading {name}")).await?;
        match answer.status {
            200 => answer.json().map(Some),
            404 if answer.is_missing_object() => Ok(None),
            _ => Err(answer.refusal()),
        }
    }

    /// The objects with these labels.
    pub async fn list(&self, collection: &Collection, labels: &str) -> Result<Vec<Value>> {
        let request = Request::new(&collection.0).list(&ListParams::default().labels(labels).limit(MOST));
        let answer = self.call(request, &format!("listing {labels}")).await?;
        if answer.status != 200 {
            return Err(answer.refusal());
        }
        match answer.json()?.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(Error::remote(format!("{} answered a list that is none while {}.", answer.server, answer.doing))),
        }
    }

    /// Merges a patch into an object. A patch that names a resource version is only applied to that version.
    pub async fn merge(&self, collection: &Collection, name: &str, patch: &Value) -> Result<Patched> {
        let parameters = PatchParams { field_manager: Some("tomoda-release".to_owned()), ..PatchParams::default() };
        let request = Request::new(&collection.0).patch(name, &parameters, &Patch::Merge(patch));
        let answer = self.call(request, &format!("patching {name}")).await?;
        match answer.status {
            200 => Ok(Patched::Done(Box::new(answer.json()?))),
            409 => Ok(Patched::Conflict),
            403 => Ok(Patched::Forbidden(answer.refusal().to_string())),
            _ => Err(answer.refusal()),
        }
    }

    /// Sends a request and reads the answer, all within the time and size limits.
    async fn call<E: StdError>(&self, request: std::result::Result<axum::http::Request<Vec<u8>>, E>, doing: &str) -> Result<Answer> {
        let request = request.map_err(|why| Error::config(format!("The Kubernetes API cannot be asked for this ({doing}): {why}.")))?;
        let server = &self.server;
        let exchange = async {
            let response = self.client.send(request.map(Body::from)).await.map_err(|why| call_failed(server, doing, why))?;
            let status = response.status().as_u16();
            let body = axum::body::to_bytes(axum::body::Body::new(response.into_body()), LIMIT).await;
            let body = body.map_err(|why| broken_off(server, doing, &why))?;
            Ok(Answer { status, body: body.to_vec(), server: server.clone(), doing: doing.to_owned() })
        };
        match tokio::time::timeout(self.within, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::remote(format!(
                "The Kubernetes API at {server} did not answer within {} s while {doing}.",
                self.within.as_secs_f32()
            ))),
        }
    }
}

/// A whole answer.
struct Answer {
    status: u16,
    body: Vec<u8>,
    server: String,
    doing: String,
}

impl Answer {
    fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .map_err(|why| Error::remote(format!("{} did not answer with JSON while {}: {why}.", self.server, self.doing)))
    }

    /// The message of a Kubernetes `Status`; `None` when something in front of Kubernetes answered.
    fn message(&self) -> Option<String> {
        let status = self.status_object()?;
        Some(status.get("message")?.as_str()?.chars().take(500).collect())
    }

    fn status_object(&self) -> Option<Value> {
        serde_json::from_slice::<Value>(&self.body).ok().filter(|it| it["kind"] == "Status")
    }

    /// Whether the 404 means "no object of that name", and not "no such API" or a page from a proxy.
    fn is_missing_object(&self) -> bool {
        let unknown_kind = "could not find the requested resource";
        self.status_object()
            .is_some_and(|it| it["reason"] == "NotFound" && !it["message"].as_str().unwrap_or_default().contains(unknown_kind))
    }

    /// Any answer that is a no, as an error.
    fn refusal(&self) -> Error {
        let Self { server, doing, status, .. } = self;
        let said = self.message().map_or_else(|| "the answer is not from Kubernetes".to_owned(), |it| it.trim_end_matches('.').to_owned());
        match status {
            401 => {
                Error::remote_final(format!("The Kubernetes API at {server} does not accept our credentials while {doing} (401: {said})."))
                    .hint("Log in again, or renew the token that the kubeconfig or the service account has.")
            }
            403 => Error::remote_final(format!("The Kubernetes API at {server} does not allow {doing} (403: {said})."))
                .hint("Grant it with a Role and a RoleBinding; `kubectl auth can-i` shows what is allowed."),
            404 => Error::remote_final(format!("The Kubernetes API at {server} has no such API while {doing} (404: {said})."))
                .hint("Is this the right cluster, and is Argo CD installed in it?"),
            408 | 425 | 429 | 500.. => Error::remote(format!("The Kubernetes API at {server} answered {status} while {doing}: {said}.")),
            _ => Error::remote_final(format!("The Kubernetes API at {server} answered {status} while {doing}: {said}.")),
        }
    }
}

/// Why a request got no answer at all.
fn call_failed(server: &str, doing: &str, why: kube::Error) -> Error {
    if let kube::Error::Auth(why) = why {
        return login_failed(server, kube::Error::Auth(why));
    }
    let cause = Cause::of(&why);
    let error = |what: String| Error::new(cause.kind(), format!("The Kubernetes API at {server} {what}"));
    match &cause {
        Cause::Certificate(reason) => {
            Error::new(cause.kind(), format!("The certificate of the Kubernetes API at {server} is not trusted while {doing}: {reason}."))
                .hint("Check `certificate-authority-data` and the server's name in the kubeconfig.")
        }
        Cause::NoTls => {
            error(format!("does not speak TLS, while {doing}.")).hint("Is this the API server's port, and is there a proxy in front of it?")
        }
        Cause::Other(said) if said.contains("timed out") || said.contains("deadline") => {
            error(format!("did not answer in time while {doing}."))
        }
        _ => error(format!("cannot be reached while {doing}: {cause}.")),
    }
}

/// Why an answer could not be read to its end.
fn broken_off(server: &str, doing: &str, why: &axum::Error) -> Error {
    let cause = root(why);
    if cause.contains("length limit exceeded") {
        Error::remote_final(format!("The Kubernetes API at {server} answered with more than {} MiB while {doing}.", LIMIT >> 20))
    } else {
        Error::remote(format!("The answer of the Kubernetes API at {server} broke off while {doing}: {cause}."))
    }
}

/// Why there are no credentials. A plugin's output is never repeated: it may hold the token.
fn login_failed(server: &str, why: kube::Error) -> Error {
    let doing = format!("Logging in to the Kubernetes API at {server} failed");
    match why {
        kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => {
            let said = String::from_utf8_lossy(&out.stderr);
            let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
            Error::remote_final(format!("{doing}: the kubeconfig's credential plugin ended with {}. {said}", out.status))
        }
        kube::Error::Auth(AuthError::AuthExecParse(_)) => {
            Error::remote_final(format!("{doing}: the kubeconfig's credential plugin does not answer with an ExecCredential."))
        }
        kube::Error::Auth(AuthError::AuthExecStart(why)) => {
            Error::config(format!("{doing}: the kubeconfig's credential plugin cannot be started."))
                .because(why)
                .hint("Is it installed, and on PATH?")
        }
        why => Error::config(format!("{doing}: {}.", root(&why))),
    }
}

/// The innermost cause: the part that says something.
fn root(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string().trim_end_matches('.').to_owned()
}
