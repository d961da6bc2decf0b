//! The status loop: one look at a time, each an answer to what was asked when it began.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::application::{self, REFRESH};
use super::health::{self, Health};
use super::manifests::{self, Difference, Rendered};
use super::simulation::{Event, Simulation};
use super::source;
use crate::rehearsal::cluster::ApplicationSpec;
use crate::rehearsal::kube::Key;
use crate::rehearsal::kube::store::whole_seconds;

/// How deep a look goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// The tree of objects only.
    Tree,
    /// The cluster against the commit that was compared last.
    Recent,
    /// The cluster against the branch, as far as it is remembered.
    Latest,
    /// The cluster against the branch, as it is.
    Refresh,
}

/// A look under way: everything it will say was seen when it began.
#[derive(Clone, Debug)]
pub(super) struct Look {
    level: Level,
    pub(super) began: Timestamp,
    refresh: bool,
    /// The application as it was.
    pub(super) application: Arc<Value>,
    pub(super) found: Found,
    health: Option<Health>,
    images: Vec<String>,
    /// Why no operation was started, when that is an error.
    pub(super) sync_error: Option<String>,
}

/// What a comparison found.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// Nothing was compared.
    Tree,
    /// The commit cannot be rendered.
    Broken { message: String, differences: Vec<Difference> },
    /// How far the cluster is from a commit.
    Compared { revision: String, differences: Vec<Difference> },
}

/// How many rendered commits the repository server remembers.
const REMEMBERED: usize = 16;

impl Simulation {
    /// Somebody wants a look; while one is under way the deepest wish waits.
    pub(super) fn ask(&mut self, name: &str, level: Level) {
        let Some(loops) = self.loops.get_mut(name) else { return };
        loops.asked = loops.asked.max(Some(level));
        if loops.look.is_none() {
            self.begin(name);
        }
    }

    fn begin(&mut self, name: &str) {
        let (Some(spec), Some(loops)) = (self.spec(name), self.loops.get_mut(name)) else { return };
        let Some(level) = loops.asked.take() else { return };
        let application = self.application(&spec);
        let refresh = application::wants_refresh(&application);
        let level = if refresh { Level::Refresh } else { level };
        match self.compare(&spec, &application, level) {
            Ok((found, pause)) => {
                let managed: Vec<Key> =
                    self.believed.iter().filter(|(_, it)| manifests::belongs(it, &spec)).map(|(key, _)| key.clone()).collect();
                let look = Look {
                    level,
                    began: self.now,
                    refresh,
                    health: self.health(&found, &managed),
                    images: health::images(&self.believed, &managed),
                    application,
                    found,
                    sync_error: None,
                };
                if let Some(loops) = self.loops.get_mut(name) {
                    loops.look = Some(look);
                }
                self.after(pause, Event::Found(name.to_owned()));
            }
            // A repository that does not answer leaves everything as it is, the request included.
            Err(_) => self.after(Duration::from_secs(1), Event::Ask(name.to_owned(), level)),
        }
    }

    fn compare(&mut self, spec: &ApplicationSpec, application: &Value, level: Level) -> Result<(Found, Duration), git2::Error> {
        let timing = self.setup.timing.clone();
        if level == Level::Tree {
            return Ok((Found::Tree, timing.write));
        }
        let compared = application["status"]["sync"]["revision"].as_str().unwrap_or_default();
        let revision = match level {
            Level::Tree | Level::Recent if is_commit(compared) => compared.to_owned(),
            _ => self.resolve(spec, level == Level::Refresh)?,
        };
        let known = self.loops.get(&spec.name).is_some_and(|it| it.rendered.contains_key(&revision));
        let rendered = self.render(spec, &revision)?;
        let wanted = rendered.as_ref().as_ref();
        let differences = manifests::compare(&self.believed, spec, wanted.ok().map(Vec::as_slice));
        let found = match wanted {
            Ok(_) => Found::Compared { revision, differences },
            Err(message) => Found::Broken { message: message.clone(), differences },
        };
        Ok((found, if known { timing.recompare } else { timing.compare }))
    }

    fn resolve(&mut self, spec: &ApplicationSpec, fresh: bool) -> Result<String, git2::Error> {
        let (now, good_for) = (self.now, self.setup.timing.git_cache);
        let remembered = self.loops.get(&spec.name).and_then(|it| it.branch.clone());
        if let Some((commit, _)) = remembered.filter(|(_, since)| !fresh && *since + good_for > now) {
            return Ok(commit);
        }
        let commit = source::resolve(&self.setup.repository, &spec.branch)?;
        if let Some(loops) = self.loops.get_mut(&spec.name) {
            loops.branch = Some((commit.clone(), now));
        }
        Ok(commit)
    }

    /// The manifests of a commit, rendered once.
    pub(super) fn render(&mut self, spec: &ApplicationSpec, commit: &str) -> Result<Rendered, git2::Error> {
        if let Some(rendered) = self.loops.get(&spec.name).and_then(|it| it.rendered.get(commit)) {
            return Ok(rendered.clone());
        }
        let rendered = manifests::render(&self.setup.repository, spec, commit)?;
        if let Some(loops) = self.loops.get_mut(&spec.name) {
            if loops.rendered.len() >= REMEMBERED {
                loops.rendered.clear();
            }
            loops.rendered.insert(commit.to_owned(), rendered.clone());
        }
        Ok(rendered)
    }

    fn health(&self, found: &Found, managed: &[Key]) -> Option<Health> {
        let of = |key: &Key| health::of(self.believed.get(key).map(|it| &**it));
        match found {
            Found::Tree => None,
            Found::Broken { .. } => managed.iter().map(of).max(),
            Found::Compared { differences, .. } => Some(differences.iter().map(|it| of(&it.key)).max().unwrap_or(Health::Healthy)),
        }
    }

    /// The comparison is through: its errors are written, and an operation is asked for where one is due.
    pub(super) fn found(&mut self, name: &str) {
        let Some((spec, mut look)) = self.spec(name).zip(self.loops.get_mut(name).and_then(|it| it.look.take())) else { return };
        let now = json!(whole_seconds(self.now));
        let kept = |conditions: &Value| -> Vec<Value> {
            conditions.as_array().into_iter().flatten().filter(|it| it["type"] != "ComparisonError").cloned().collect()
        };
        match &look.found {
            Found::Tree => {}
            Found::Broken { message, .. } => self.edit(&spec, |it| {
                let said = it["status"]["conditions"].as_array().into_iter().flatten().any(|it| it["message"] == message.as_str());
                if !said {
                    let mut conditions = kept(&it["status"]["conditions"]);
                    conditions.push(json!({ "lastTransitionTime": now, "message": message, "type": "ComparisonError" }));
                    it["status"]["conditions"] = json!(conditions);
                }
            }),
            Found::Compared { .. } => {
                self.edit(&spec, |it| set_conditions(it, kept));
                look.sync_error = self.sync_automatically(&spec, &look);
            }
        }
        if let Some(loops) = self.loops.get_mut(name) {
            loops.look = Some(look);
        }
        self.after(self.setup.timing.write, Event::Conclude(name.to_owned()));
    }

    /// The last write of a look: what it found, and the request gone that it began with.
    pub(super) fn conclude(&mut self, name: &str) {
        let Some((spec, look)) = self.spec(name).zip(self.loops.get_mut(name).and_then(|it| it.look.take())) else { return };
        let now = whole_seconds(self.now);
        self.edit(&spec, |it| write(it, &spec, &look, &now));
        if look.level >= Level::Latest {
            let expires = look.began + self.setup.timing.resync;
            self.at(expires, Event::Expire(name.to_owned()));
        }
        let again = application::wants_refresh(&self.application(&spec)).then_some(Level::Refresh);
        if let Some(loops) = self.loops.get_mut(name) {
            loops.asked = loops.asked.max(again);
        }
        self.begin(name);
    }

    /// A comparison is as old as it may get: look again, unless there was a newer one.
    pub(super) fn expire(&mut self, name: &str) {
        let Some(spec) = self.spec(name) else { return };
        let application = self.application(&spec);
        let reconciled = application["status"]["reconciledAt"].as_str().and_then(|it| it.parse::<Timestamp>().ok());
        if reconciled.is_none_or(|it| it + self.setup.timing.resync <= self.now) {
            self.ask(name, Level::Latest);
        }
    }

    /// What Argo CD's own watch does when an Application changes.
    pub(super) fn application_changed(&mut self, name: &str) {
        let Some(spec) = self.spec(name) else { return };
        let application = self.application(&spec);
        let idle = self.loops.get(name).is_some_and(|it| it.look.is_none());
        if application::wants_refresh(&application) && idle {
            self.after(self.setup.timing.write, Event::Ask(name.to_owned(), Level::Refresh));
        }
        self.notice_operation(&spec, &application);
    }
}

fn write(application: &mut Value, spec: &ApplicationSpec, look: &Look, now: &str) {
    if look.refresh {
        if let Some(annotations) = application["metadata"]["annotations"].as_object_mut() {
            annotations.shift_remove(REFRESH);
        }
        if application["metadata"]["annotations"] == json!({}) {
            application["metadata"].as_object_mut().map(|it| it.shift_remove("annotations"));
        }
    }
    let status = &mut application["status"];
    status["summary"] = if look.images.is_empty() { json!({}) } else { json!({ "images": look.images }) };
    let (sync_status, revision, differences) = match &look.found {
        Found::Tree => return,
        Found::Broken { differences, .. } => ("Unknown", &spec.branch, differences),
        Found::Compared { revision, differences } => {
            (if differences.iter().all(Difference::is_synced) { "Synced" } else { "OutOfSync" }, revision, differences)
        }
    };
    status["resources"] = differences.iter().map(Difference::shown).collect();
    status["sync"] = json!({
        "comparedTo": { "destination": application::destination(spec), "source": application::source(spec) },
        "revision": revision, "status": sync_status,
    });
    status["resourceHealthSource"] = json!("appTree");
    status["sourceHydrator"] = json!({});
    status["controllerNamespace"] = json!(spec.namespace);
    if let Found::Compared { .. } = look.found {
        status["sourceType"] = json!("Kustomize");
    } else if let Some(fields) = status.as_object_mut() {
        fields.shift_remove("sourceType");
    }
    if let Some(health) = look.health.filter(|it| status["health"]["status"] != it.name()) {
        status["health"] = json!({ "lastTransitionTime": now, "status": health.name() });
    }
    if look.level >= Level::Latest {
        status["reconciledAt"] = json!(whole_seconds(look.began));
    }
    set_conditions(application, |conditions| {
        let old = conditions.as_array().cloned().unwrap_or_default();
        let (said, mut kept): (Vec<Value>, Vec<Value>) = old.into_iter().partition(|it| it["type"] == "SyncError");
        if let Some(message) = &look.sync_error {
            let same = said.into_iter().find(|it| it["message"] == message.as_str());
            kept.push(same.unwrap_or(json!({ "lastTransitionTime": now, "message": message, "type": "SyncError" })));
        }
        kept
    });
}

fn set_conditions(application: &mut Value, make: impl FnOnce(&Value) -> Vec<Value>) {
    let Some(status) = application.get_mut("status").and_then(Value::as_object_mut) else { return };
    let conditions = make(status.get("conditions").unwrap_or(&Value::Null));
    if conditions.is_empty() {
        status.shift_remove("conditions");
    } else {
        status.insert("conditions".to_owned(), json!(conditions));
    }
}

fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|it| it.is_ascii_hexdigit())
}
