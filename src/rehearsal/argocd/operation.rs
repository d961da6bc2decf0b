//! The operation loop: a commit is applied, retried, given up, or terminated.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::application;
use super::look::{Found, Level, Look};
use super::manifests::{self, Write, belongs, identity};
use super::simulation::{Event, Simulation};
use crate::rehearsal::cluster::ApplicationSpec;
use crate::rehearsal::kube::Key;
use crate::rehearsal::kube::kind::qualify;
use crate::rehearsal::kube::store::whole_seconds;

/// Where an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    PickUp,
    Apply,
    Remember,
    Finish,
    /// The pause after a failure is over.
    LookBeforeRetry,
    Retry,
    Terminate,
}

/// How many past operations an Application lists.
const HISTORY: usize = 10;

/// A series of self-healing operations is forgotten after this time.
const HEAL_SERIES_SECONDS: i64 = 330;

impl Simulation {
    /// Asks for an operation when a comparison calls for one. Answers why not, when that is an error to show.
    pub(super) fn sync_automatically(&mut self, spec: &ApplicationSpec, look: &Look) -> Option<String> {
        let Found::Compared { revision, differences } = &look.found else { return None };
        let before = &look.application;
        if differences.iter().all(manifests::Difference::is_synced) || application::operation(before).is_some() {
            return None;
        }
        let mut sync = json!({ "prune": true, "revision": revision, "source": application::source(spec) });
        let state = application::operation_state(before).filter(|it| it["syncResult"]["revision"] == *revision);
        if let Some(state) = state {
            if state["phase"] != "Succeeded" {
                return Some(format!("Failed last sync attempt to {revision}: {}", state["message"].as_str().unwrap_or_default()));
            }
            let attempts = self.heal_attempts(spec, state)?;
            sync["autoHealAttemptsCount"] = json!(attempts + 1);
            sync["resources"] = differences.iter().filter(|it| !it.is_synced()).map(|it| identity(&it.key)).collect();
        }
        // The Application as it is now decides: somebody may have been faster.
        if application::operation(&self.application(spec)).is_none() {
            let operation = json!({ "initiatedBy": { "automated": true }, "retry": { "limit": 5 }, "sync": sync });
            self.edit(spec, |it| {
                it["operation"] = operation;
                it["status"].as_object_mut().map(|it| it.shift_remove("operationState"));
            });
        }
        None
    }

    /// How many times this commit was healed in a row; nothing while the pause after the last time lasts.
    fn heal_attempts(&mut self, spec: &ApplicationSpec, state: &Value) -> Option<u64> {
        let finished = state["finishedAt"].as_str().and_then(|it| it.parse::<Timestamp>().ok())?;
        let recent = self.now.duration_since(finished).as_secs() < HEAL_SERIES_SECONDS;
        let attempts = state["operation"]["sync"]["autoHealAttemptsCount"].as_u64().filter(|_| recent).unwrap_or(0);
        let due = finished + self.setup.timing.heal_pause(attempts);
        if due > self.now {
            self.at(due, Event::Ask(spec.name.clone(), Level::Latest));
            return None;
        }
        Some(attempts)
    }

    /// What the operation loop's watch does when an Application changes.
    pub(super) fn notice_operation(&mut self, spec: &ApplicationSpec, application: &Value) {
        let Some(loops) = self.loops.get_mut(&spec.name) else { return };
        let step = if application::phase(application) == "Terminating" {
            Step::Terminate
        } else if application::operation(application).is_some() && !application::is_operating(application) && !loops.operating {
            loops.operating = true;
            Step::PickUp
        } else {
            return;
        };
        loops.round += 1;
        let round = loops.round;
        self.after(self.setup.timing.write, Event::Operation(spec.name.clone(), round, step));
    }

    /// One step of an operation.
    pub(super) fn operate(&mut self, name: &str, round: u64, step: Step) {
        let Some(spec) = self.spec(name).filter(|_| self.loops.get(name).is_some_and(|it| it.round == round)) else { return };
        let timing = self.setup.timing.clone();
        let then = |it: &mut Self, pause, step| it.after(pause, Event::Operation(name.to_owned(), round, step));
        match step {
            Step::PickUp => {
                let at = whole_seconds(self.now);
                self.edit(&spec, |it| {
                    it["status"]["operationState"] = json!({ "operation": it["operation"], "phase": "Running", "startedAt": at });
                });
                then(self, timing.sync, Step::Apply);
            }
            Step::Apply => {
                let results = self.apply(&spec);
                let failed = failure(&results).is_some();
                if let Some(loops) = self.loops.get_mut(name) {
                    loops.results = results;
                }
                then(self, timing.write, if failed { Step::Finish } else { Step::Remember });
            }
            Step::Remember => {
                self.remember(&spec);
                then(self, timing.write * 2, Step::Finish);
            }
            Step::Finish => self.finish(&spec),
            Step::LookBeforeRetry => {
                self.ask(name, Level::Latest);
                then(self, timing.recompare + timing.write * 2, Step::Retry);
            }
            Step::Retry => {
                self.edit(&spec, |it| {
                    let state = &mut it["status"]["operationState"];
                    state["message"] = json!(format!("Retrying operation. Attempt #{}", state["retryCount"].as_u64().unwrap_or(0)));
                    state.as_object_mut().map(|it| it.shift_remove("finishedAt"));
                });
                then(self, timing.sync, Step::Apply);
            }
            Step::Terminate => self.end(&spec, "Failed", "Operation terminated", None),
        }
    }

    /// The revision an operation is for.
    fn revision(&self, spec: &ApplicationSpec) -> Result<String, git2::Error> {
        let application = self.application(spec);
        let asked = application["operation"]["sync"]["revision"].as_str().unwrap_or_default();
        super::source::resolve(&self.setup.repository, if asked.is_empty() { &spec.branch } else { asked })
    }

    /// Applies the commit, and says what became of each object.
    fn apply(&mut self, spec: &ApplicationSpec) -> Vec<Value> {
        let rendered = self.revision(spec).and_then(|it| self.render(spec, &it));
        let wanted = match rendered.as_ref().map(|it| it.as_ref().as_ref()) {
            Ok(Ok(wanted)) => wanted.clone(),
            Ok(Err(why)) => return vec![json!({ "status": "SyncFailed", "message": why })],
            Err(why) => return vec![json!({ "status": "SyncFailed", "message": why.message() })],
        };
        self.create_namespace(&spec.dest_namespace);
        let operation = self.application(spec)["operation"]["sync"].clone();
        let chosen = |key: &Key| operation["resources"].as_array().is_none_or(|it| it.contains(&identity(key)));
        let mut order: Vec<&Value> = wanted.iter().filter(|it| chosen(&Key::of(it))).collect();
        order.sort_by_key(|it| manifests::apply_order(it["kind"].as_str().unwrap_or_default()));
        let mut results: Vec<Value> = order.into_iter().map(|it| self.apply_one(it)).collect();
        if operation["prune"] == true && operation.get("resources").is_none() {
            results.extend(self.prune(spec, &wanted));
        }
        results
    }

    fn apply_one(&mut self, wanted: &Value) -> Value {
        let key = Key::of(wanted);
        let live = self.store.get(&key).cloned();
        let done = manifests::apply(live.as_deref(), wanted).map(|write| match write {
            Write::Create(object) => {
                self.store.create(object, self.now);
                "created"
            }
            Write::Change(object) => {
                self.store.update(&key, |it| *it = object);
                "configured"
            }
            Write::Nothing => "unchanged",
        });
        let containers = wanted["spec"]["template"]["spec"]["containers"].as_array();
        let images: Vec<&Value> = containers.into_iter().flatten().map(|it| &it["image"]).collect();
        let mut result = identity(&key);
        if !images.is_empty() {
            result["images"] = json!(images);
        }
        result["namespace"] = json!(key.namespace);
        result["syncPhase"] = json!("Sync");
        result["version"] = json!(manifests::version_of(wanted));
        let (status, phase, message) = match done {
            Ok(done) => ("Synced", "Running", format!("{}/{} {done}", qualify(&key.kind.to_lowercase(), &key.group), key.name)),
            Err(why) => ("SyncFailed", "Failed", format!("error when patching \"(temporary file)\": {}", why.message)),
        };
        result["status"] = json!(status);
        result["hookPhase"] = json!(phase);
        result["message"] = json!(message);
        result
    }

    fn prune(&mut self, spec: &ApplicationSpec, wanted: &[Value]) -> Vec<Value> {
        let kept: Vec<Key> = wanted.iter().map(Key::of).collect();
        let own = self.store.all().iter().filter(|(key, it)| belongs(it, spec) && !kept.contains(key));
        let gone: Vec<(Key, String)> = own.map(|(key, it)| (key.clone(), manifests::version_of(it))).collect();
        let pruned = gone.into_iter().map(|(key, version)| {
            self.store.delete(&key);
            let mut result = identity(&key);
            result["namespace"] = json!(key.namespace);
            result["status"] = json!("Pruned");
            result["hookPhase"] = json!("Succeeded");
            result["message"] = json!("pruned");
            result["syncPhase"] = json!("Sync");
            result["version"] = json!(version);
            result
        });
        pruned.collect()
    }

    fn remember(&mut self, spec: &ApplicationSpec) {
        let (at, revision) = (whole_seconds(self.now), self.revision(spec).unwrap_or_default());
        let source = application::source(spec);
        self.edit(spec, |it| {
            let (started, by) = (it["status"]["operationState"]["startedAt"].clone(), it["operation"]["initiatedBy"].clone());
            let mut history = it["status"]["history"].as_array().cloned().unwrap_or_default();
            let id = history.last().map_or(0, |it| it["id"].as_u64().unwrap_or(0) + 1);
            history.push(json!({
                "deployStartedAt": started, "deployedAt": at, "id": id, "initiatedBy": by, "revision": revision, "source": source,
            }));
            let excess = history.len().saturating_sub(HISTORY);
            it["status"]["history"] = json!(history.split_off(excess));
        });
        if let Some(loops) = self.loops.get_mut(&spec.name) {
            loops.applied = Some(revision);
        }
    }

    fn finish(&mut self, spec: &ApplicationSpec) {
        let results = self.loops.get(&spec.name).map(|it| it.results.clone()).unwrap_or_default();
        let (failed, revision) = (failure(&results), self.revision(spec).unwrap_or_default());
        let shown: Vec<&Value> = results.iter().filter(|it| it.get("kind").is_some()).collect();
        let result = json!({ "resources": shown, "revision": revision, "source": application::source(spec) });
        let application = self.application(spec);
        let retries = application["status"]["operationState"]["retryCount"].as_u64().unwrap_or(0);
        let limit = application["operation"]["retry"]["limit"].as_u64().unwrap_or(0);
        match failed {
            None => self.end(spec, "Succeeded", "successfully synced (all tasks run)", Some(result)),
            Some(why) if retries < limit => self.retry_later(spec, &why, retries + 1, result),
            Some(why) => self.end(spec, "Failed", &why, Some(result)),
        }
    }

    fn retry_later(&mut self, spec: &ApplicationSpec, why: &str, attempt: u64, result: Value) {
        let finished = whole_seconds(self.now);
        let floor = Timestamp::from_second(self.now.as_second()).unwrap_or(self.now);
        let due = floor + self.setup.timing.retry_pause(attempt);
        self.edit(spec, |it| {
            let state = &mut it["status"]["operationState"];
            state["finishedAt"] = json!(finished);
            state["message"] = json!(format!("{why}. Retrying attempt #{attempt} at {}.", due.strftime("%-I:%M%p")));
            state["retryCount"] = json!(attempt);
            state["syncResult"] = result;
        });
        let round = self.loops.get(&spec.name).map_or(0, |it| it.round);
        self.at(due, Event::Operation(spec.name.clone(), round, Step::LookBeforeRetry));
    }

    /// An operation is over, and a look at the branch as it is follows.
    fn end(&mut self, spec: &ApplicationSpec, phase: &str, message: &str, result: Option<Value>) {
        let at = whole_seconds(self.now);
        self.edit(spec, |it| {
            let state = &mut it["status"]["operationState"];
            let retries = state["retryCount"].as_u64().unwrap_or(0);
            let tried = if retries > 0 { format!(" (retried {retries} times).") } else { String::new() };
            state["message"] = json!(format!("{message}{tried}"));
            state["phase"] = json!(phase);
            state["finishedAt"] = json!(at);
            if let Some(result) = result {
                state["syncResult"] = result;
            }
            it.as_object_mut().map(|it| it.shift_remove("operation"));
        });
        if let Some(loops) = self.loops.get_mut(&spec.name) {
            loops.operating = false;
            loops.round += 1;
        }
        self.after(self.setup.timing.after_operation, Event::Ask(spec.name.clone(), Level::Refresh));
    }
}

/// Why an operation failed, from what became of its objects.
fn failure(results: &[Value]) -> Option<String> {
    let failed: Vec<&str> = results.iter().filter(|it| it["status"] == "SyncFailed").filter_map(|it| it["message"].as_str()).collect();
    (!failed.is_empty()).then(|| format!("one or more objects failed to apply, reason: {}", failed.join(",")))
}
