//! The cluster and its Argo CD as one machine on one schedule: given the same start and the same requests at the same
//! times, the same things happen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::application::{self, REFRESH};
use super::look::{Level, Look};
use super::manifests::{self, Rendered, belongs};
use super::operation::Step;
use super::timing::Timing;
use super::{health, source};
use crate::model::Secret;
use crate::rehearsal::cluster::{ApplicationSpec, Running};
use crate::rehearsal::kube::workload::{self, Nodes, PodFate};
use crate::rehearsal::kube::{Access, Clock, Key, Store};
use crate::rehearsal::stage::{Backstage, Chance};

/// What stands behind an image, as far as a pull can tell.
pub type Pull = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a cluster is made from.
#[derive(Clone)]
pub struct Setup {
    /// The bare repository that Argo CD reads, on disk.
    pub repository: PathBuf,
    /// The applications it reconciles.
    pub applications: Vec<ApplicationSpec>,
    /// Resolves an image to the digest that a pull would bring; nothing when it cannot be pulled.
    pub images: Pull,
    /// How long its parts take.
    pub timing: Timing,
    /// Its clock.
    pub clock: Clock,
    /// Who may use the Kubernetes API.
    pub access: Access,
    /// The token that the Argo CD API wants, if it wants one.
    pub argocd_token: Option<Secret>,
    /// The request log, the faults and the events of the world it belongs to.
    pub backstage: Backstage,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("repository", &self.repository).field("applications", &self.applications).finish_non_exhaustive()
    }
}

/// What is so, whatever the Application says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// What the branch points to.
    pub head: Option<String>,
    /// The last commit whose manifests were applied without an error.
    pub applied: Option<String>,
    /// Whether the cluster is as the branch's tip wants it.
    pub holds_head: bool,
    /// Whether every Deployment runs its template, and only that, on all replicas.
    pub rolled_out: bool,
}

/// What is due at some time.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Deployment(Key),
    ReplicaSet(Key),
    Pod(Key),
    /// Argo CD takes in what changed in the cluster.
    TakeIn,
    Ask(String, Level),
    Found(String),
    Conclude(String),
    Expire(String),
    Operation(String, u64, Step),
}

/// Where the loops of one application are.
#[derive(Debug, Default)]
pub(super) struct Loops {
    pub(super) asked: Option<Level>,
    pub(super) look: Option<Look>,
    pub(super) branch: Option<(String, Timestamp)>,
    pub(super) rendered: BTreeMap<String, Rendered>,
    /// Which operation this is: events of another are stale.
    pub(super) round: u64,
    pub(super) operating: bool,
    pub(super) results: Vec<Value>,
    pub(super) applied: Option<String>,
}

/// The machine.
#[derive(Debug)]
pub struct Simulation {
    pub(super) setup: Setup,
    pub(super) store: Store,
    pub(super) now: Timestamp,
    pub(super) loops: BTreeMap<String, Loops>,
    /// What Argo CD believes to be in the cluster.
    pub(super) believed: BTreeMap<Key, Arc<Value>>,
    schedule: BTreeMap<(Timestamp, u64), Event>,
    scheduled: u64,
    chance: Chance,
    seen: u64,
    taken_in: u64,
    take_in_due: bool,
    queued: BTreeSet<Key>,
}

impl Simulation {
    /// A cluster whose applications are created at this time.
    pub fn new(setup: Setup, start: Timestamp) -> Self {
        let mut it = Self {
            store: Store::default(),
            now: start,
            loops: BTreeMap::new(),
            believed: BTreeMap::new(),
            schedule: BTreeMap::new(),
            scheduled: 0,
            chance: Chance::new(setup.timing.race.unwrap_or(0)),
            seen: 0,
            taken_in: 0,
            take_in_due: false,
            queued: BTreeSet::new(),
            setup,
        };
        (it.seen, it.taken_in) = (it.store.version(), it.store.version());
        let applications = it.setup.applications.clone();
        for spec in &applications {
            it.create_namespace(&spec.namespace);
            it.loops.insert(spec.name.clone(), Loops::default());
            it.store.create(application::born(spec), start);
            it.after(it.setup.timing.write, Event::Ask(spec.name.clone(), Level::Refresh));
        }
        it.react();
        it
    }

    /// Lets everything happen that is due until now.
    pub fn run_until(&mut self, now: Timestamp) {
        while let Some(entry) = self.schedule.first_entry().filter(|it| it.key().0 <= now) {
            let ((at, _), event) = entry.remove_entry();
            self.now = self.now.max(at);
            self.handle(event);
            self.react();
        }
        self.now = self.now.max(now);
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.schedule.first_key_value().map(|((at, _), _)| *at)
    }

    /// The objects.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Writes to the objects as a person would; the controllers notice.
    pub fn write<T>(&mut self, write: impl FnOnce(&mut Store) -> T) -> T {
        let result = write(&mut self.store);
        self.react();
        result
    }

    /// Asks for a look at an application, as `kubectl annotate` does.
    pub fn request_refresh(&mut self, name: &str) {
        let Some(key) = self.spec(name).map(|it| application::key(&it)) else { return };
        self.write(|store| store.update(&key, |it| it["metadata"]["annotations"][REFRESH] = json!("normal")));
    }

    /// What a deployment's newest available pod, or else its newest pod, runs.
    pub fn running(&self, namespace: &str, deployment: &str) -> Option<Running> {
        let deployment = self.store.get(&Key::new("apps", "Deployment", namespace, deployment))?;
        let sets = workload::replica_sets(&self.store, deployment);
        let pods: Vec<Value> = sets.iter().flat_map(|(_, set)| workload::pods(&self.store, set)).map(|(_, it)| it).collect();
        let first = |pod: &Value| pod["status"]["containerStatuses"][0].clone();
        let up = pods.iter().rev().map(first).find(|it| it["ready"] == true);
        let status = up.clone().or_else(|| pods.last().map(first))?;
        let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
        let digest = text("imageID").rsplit_once('@').map(|(_, it)| it.to_owned()).unwrap_or_default();
        Some(Running { image: text("image"), digest, available: up.is_some() })
    }

    /// What is so, whatever the Application says.
    pub fn truth(&self, name: &str) -> Option<Truth> {
        let spec = self.spec(name)?;
        let head = source::resolve(&self.setup.repository, &spec.branch).ok();
        let wanted = head.as_ref().and_then(|it| manifests::render(&self.setup.repository, &spec, it).ok());
        let holds = |wanted: &[Value]| {
            let differences = manifests::compare(self.store.all(), &spec, Some(wanted));
            differences.iter().all(manifests::Difference::is_synced)
        };
        let own = self.store.list("apps", "Deployment", None).filter(|(_, it)| belongs(it, &spec));
        Some(Truth {
            head,
            applied: self.loops.get(name)?.applied.clone(),
            holds_head: wanted.is_some_and(|it| it.as_ref().as_ref().is_ok_and(|it| holds(it))),
            rolled_out: own.map(|(_, it)| health::is_rolled_out(it)).reduce(|a, b| a && b).unwrap_or(false),
        })
    }

    /// What a webhook does after a push: it asks for a look at every application that follows the branch.
    pub fn git_moved(&mut self) {
        if self.setup.timing.webhook {
            self.setup.applications.clone().iter().for_each(|it| self.request_refresh(&it.name));
        }
    }

    pub(super) fn spec(&self, name: &str) -> Option<ApplicationSpec> {
        self.setup.applications.iter().find(|it| it.name == name).cloned()
    }

    pub(super) fn application(&self, spec: &ApplicationSpec) -> Arc<Value> {
        self.store.get(&application::key(spec)).cloned().unwrap_or_default()
    }

    pub(super) fn edit(&mut self, spec: &ApplicationSpec, edit: impl FnOnce(&mut Value)) {
        self.store.update(&application::key(spec), edit);
    }

    pub(super) fn after(&mut self, usual: Duration, event: Event) {
        let delay = self.setup.timing.draw(usual, &self.chance);
        self.at(self.now + delay, event);
    }

    pub(super) fn at(&mut self, due: Timestamp, event: Event) {
        self.scheduled += 1;
        self.schedule.insert((due, self.scheduled), event);
    }

    pub(super) fn create_namespace(&mut self, name: &str) {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" },
            "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
        });
        self.store.create(namespace, self.now);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Deployment(key) => self.look_at_deployment(&key),
            Event::ReplicaSet(key) => {
                self.queued.remove(&key);
                workload::look_at_replica_set(&mut self.store, &key, self.now);
            }
            Event::Pod(key) => self.start_pod(&key),
            Event::TakeIn => self.take_in(),
            Event::Ask(name, level) => self.ask(&name, level),
            Event::Found(name) => self.found(&name),
            Event::Conclude(name) => self.conclude(&name),
            Event::Expire(name) => self.expire(&name),
            Event::Operation(name, round, step) => self.operate(&name, round, step),
        }
    }

    fn look_at_deployment(&mut self, key: &Key) {
        self.queued.remove(key);
        let (images, progress_deadline) = (self.setup.images.clone(), self.setup.timing.progress_deadline);
        let nodes = Nodes { pull: &*images, progress_deadline };
        let next = workload::look_at_deployment(&mut self.store, key, &nodes, self.now);
        if let Some(deadline) = next.deadline {
            self.at(deadline, Event::Deployment(key.clone()));
        }
    }

    fn start_pod(&mut self, key: &Key) {
        let images = self.setup.images.clone();
        let nodes = Nodes { pull: &*images, progress_deadline: None };
        if workload::start_pod(&mut self.store, key, &nodes, self.now) == PodFate::Waiting {
            self.after(self.setup.timing.pull_again, Event::Pod(key.clone()));
        }
    }

    /// What the controllers' watches do: every change wakes those whom it concerns.
    fn react(&mut self) {
        let changes: Vec<_> = self.store.since(self.seen).map(|it| it.cloned().collect()).unwrap_or_default();
        self.seen = self.store.version();
        for change in changes {
            let gone = change.after.is_none();
            match change.key.kind.as_str() {
                "Application" => self.application_changed(&change.key.name),
                "Deployment" | "ReplicaSet" | "Pod" => {
                    if let Some(object) = change.after.as_ref().or(change.before.as_ref()) {
                        self.wake_owner(&change.key, object);
                    }
                    match change.key.kind.as_str() {
                        "Pod" if change.before.is_none() => self.after(self.setup.timing.pod_ready, Event::Pod(change.key.clone())),
                        "Pod" => {}
                        _ if gone => self.collect_garbage(change.before.as_deref()),
                        _ => self.queue(&change.key),
                    }
                    self.take_in_later();
                }
                _ => self.take_in_later(),
            }
        }
        if self.seen != self.store.version() {
            self.react();
        }
    }

    fn wake_owner(&mut self, key: &Key, object: &Value) {
        let owner = &object["metadata"]["ownerReferences"][0];
        if let (Some(kind), Some(name)) = (owner["kind"].as_str(), owner["name"].as_str()) {
            self.queue(&Key::new("apps", kind, &key.namespace, name));
        }
    }

    fn queue(&mut self, key: &Key) {
        if self.queued.insert(key.clone()) {
            let event = if key.kind == "Deployment" { Event::Deployment(key.clone()) } else { Event::ReplicaSet(key.clone()) };
            self.after(self.setup.timing.controller, event);
        }
    }

    fn collect_garbage(&mut self, owner: Option<&Value>) {
        let uid = owner.map(|it| it["metadata"]["uid"].clone()).unwrap_or_default();
        let orphans: Vec<Key> = self
            .store
            .all()
            .iter()
            .filter(|(_, it)| it["metadata"]["ownerReferences"][0]["uid"] == uid)
            .map(|(key, _)| key.clone())
            .collect();
        orphans.iter().for_each(|it| self.store.delete(it));
    }

    fn take_in_later(&mut self) {
        if std::mem::replace(&mut self.take_in_due, true) {
            return;
        }
        let period = self.setup.timing.live_cache;
        if self.setup.timing.race.is_some() {
            self.after(period / 2, Event::TakeIn);
        } else {
            let period = i64::try_from(period.as_millis()).unwrap_or(100).max(1);
            let next = (self.now.as_millisecond() / period + 1) * period;
            self.at(Timestamp::from_millisecond(next).unwrap_or(self.now), Event::TakeIn);
        }
    }

    /// Argo CD takes in what changed, and looks again at the applications that it concerns.
    fn take_in(&mut self) {
        self.take_in_due = false;
        let changes: Vec<_> = self.store.since(self.taken_in).map(|it| it.cloned().collect()).unwrap_or_default();
        self.taken_in = self.store.version();
        self.believed = self.store.all().clone();
        for spec in self.setup.applications.clone() {
            let level = changes.iter().filter_map(|change| {
                let objects = || change.before.iter().chain(&change.after);
                let child = matches!(change.key.kind.as_str(), "Pod" | "ReplicaSet") && change.key.namespace == spec.dest_namespace;
                if objects().any(|it| belongs(it, &spec)) { Some(Level::Recent) } else { child.then_some(Level::Tree) }
            });
            if let Some(level) = level.max() {
                self.ask(&spec.name, level);
            }
        }
    }
}
