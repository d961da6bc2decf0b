//! The gates on what a real Argo CD did, moment by moment: never ready while the truth is not, and the right word at the end.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tomoda_release::model::{
    ApplicationName, ApplicationSeen, Ask, Asked, CommitId, ComponentName, GateSpec, Repository, Seen, Sighting, State, Tag, Verdict,
    WorkloadSeen,
};
use tomoda_release::observe::{argo, workloads};
use tomoda_release::verify::{Expected, ExpectedImage, Memory, judge_all};

const REPOSITORY: &str = "registry.example/tomoda/backend";

#[test]
fn the_gates_say_what_they_have_to_say_and_never_lie() {
    let expectations: Value = serde_json::from_str(&fs::read_to_string(folder().join("expectations.json")).unwrap()).unwrap();
    let history: Vec<(String, String)> =
        expectations["history"].as_array().unwrap().iter().map(|it| (text(it, "commit"), text(it, "image"))).collect();
    let cases = expectations["cases"].as_array().unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let replay = Replay::of(case, &history);
        let name = format!("{} for {}", text(case, "trace"), &text(case, "commit")[..7]);
        for (gate, said) in [("argocd", &replay.argocd), ("rollout", &replay.rollout)] {
            let expected: Vec<String> = case[gate].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect();
            if *said != expected {
                wrong.push(format!("{name}: {gate} says\n  {said:?}, expected\n  {expected:?}"));
            }
        }
        if replay.again.as_deref() != case["again"].as_str() {
            wrong.push(format!("{name}: asked again it says {:?}, expected {}", replay.again, case["again"]));
        }
        for words in case["says"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()) {
            if !replay.sentences.iter().any(|it| it.contains(words)) {
                wrong.push(format!("{name}: nothing it says contains “{words}”:\n  {}", replay.sentences.join("\n  ")));
            }
        }
        wrong.extend(replay.lies.into_iter().map(|it| format!("{name}: {it}")));
    }
    assert!(cases.len() >= 13, "every recording has its expectations");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_recorded_application_can_be_read() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "jsonl") {
            for line in lines(&path).iter().filter(|it| it["kind"] == "Application") {
                let app = argo::read(&line["object"]).unwrap();
                assert_eq!(app.source.unwrap().2, "bench/tomoda/overlays/dev");
                assert!(app.automated && app.sync.is_some() && app.health.is_some() && app.reconciled_at.is_some());
            }
        }
    }
}

/// One recording, judged line by line as a driver would that looks at every moment.
struct Replay {
    argocd: Vec<String>,
    rollout: Vec<String>,
    again: Option<String>,
    sentences: Vec<String>,
    lies: Vec<String>,
}

impl Replay {
    fn of(case: &Value, history: &[(String, String)]) -> Self {
        let commit = CommitId::parse(&text(case, "commit")).unwrap();
        let image = text(case, "image");
        let mut it = Self { argocd: Vec::new(), rollout: Vec::new(), again: None, sentences: Vec::new(), lies: Vec::new() };
        let mut driver = Driver::new(commit, &image);
        for (number, line) in lines(&folder().join(format!("{}.jsonl", text(case, "trace")))).iter().enumerate() {
            driver.take(line, history);
            if (number as u64 + 1) < case["from"].as_u64().unwrap() {
                continue;
            }
            let at: Timestamp = text(line, "at").parse().unwrap();
            let verdicts = driver.look(at);
            let truth = driver.truth(&image);
            for (gate, said, verdict) in [("argocd", &mut it.argocd, &verdicts[0]), ("rollout", &mut it.rollout, &verdicts[1])] {
                if matches!(verdict, Verdict::Ready(_)) && !truth {
                    it.lies.push(format!("{gate} says ready in line {} while it is not", number + 1));
                }
                note(said, number + 1, kind(verdict));
            }
            it.sentences.extend(verdicts.iter().filter_map(sentence));
            if matches!(verdicts[0], Verdict::Failed { .. } | Verdict::Superseded { .. }) {
                return it;
            }
        }
        it.again = driver.answered().map(|verdict| kind(&verdict).to_owned());
        it
    }
}

/// What a driver knows: the last state of both objects, and the gates' memory.
struct Driver {
    commit: CommitId,
    images: Vec<ExpectedImage>,
    memory: Memory,
    app: Option<ApplicationSeen>,
    workload: Option<WorkloadSeen>,
    since: Option<Timestamp>,
    last_ask: Option<Ask>,
}

impl Driver {
    fn new(commit: CommitId, image: &str) -> Self {
        let images = vec![ExpectedImage {
            component: ComponentName::parse("backend").unwrap(),
            repository: Repository::parse(REPOSITORY).unwrap(),
            tag: Some(Tag::parse(image).unwrap()),
            digest: None,
            commit: None,
            workloads: vec!["tomoda-api".to_owned()],
        }];
        Self { commit, images, memory: Memory::default(), app: None, workload: None, since: None, last_ask: None }
    }

    fn take(&mut self, line: &Value, history: &[(String, String)]) {
        match line["kind"].as_str() {
            Some("Application") => {
                let mut app = argo::read(&line["object"]).unwrap();
                let position = |id: &str| history.iter().position(|(commit, _)| commit == id);
                if let Some(seen) = app.revision.as_deref().and_then(position) {
                    let ours = position(self.commit.as_str()).unwrap();
                    app.contains_ours = Some(seen >= ours);
                    app.holds_our_images = Some(history[seen].1 == history[ours].1);
                }
                self.app = Some(app);
            }
            Some("Deployment") => self.workload = Some(workloads::read(&line["object"], &[]).unwrap()),
            _ => {}
        }
    }

    fn look(&mut self, now: Timestamp) -> Vec<Verdict> {
        let application = ApplicationName::parse("tomoda").unwrap();
        let within = Duration::from_secs(600);
        let gates =
            [GateSpec::ArgoCd { application: application.clone(), namespace: "argocd".to_owned(), within }, GateSpec::Rollout { within }];
        let mut seen = Sighting::of_ledger(now, State::default(), None);
        seen.applications.extend(self.app.clone().map(|it| (application, Seen::Known(it))));
        seen.workloads.insert("tomoda-api".to_owned(), Seen::Known(self.workload.clone()));
        let since = *self.since.get_or_insert(now);
        let expected = Expected { commit: &self.commit, tip: None, overlay: None, images: &self.images, version: None, since };
        let verdicts = judge_all(&gates, &expected, &seen, &mut self.memory, now);
        if let Verdict::Waiting { ask: Some(ask), .. } = &verdicts[0] {
            self.last_ask = Some(ask.clone());
        }
        verdicts
    }

    /// Whether it is live at this moment, by the Deployment alone.
    fn truth(&self, image: &str) -> bool {
        let Some(it) = &self.workload else { return false };
        let wanted = format!("{REPOSITORY}:{image}");
        it.images == [wanted]
            && it.observed_generation >= it.generation
            && it.updated == it.replicas
            && it.available == it.replicas
            && it.replicas >= it.desired.unwrap_or(1)
    }

    /// What the gate says when its last request is set and answered with the same state; nothing when it asked for nothing any more.
    fn answered(&mut self) -> Option<Verdict> {
        let ask = self.last_ask.take()?;
        let Ask::Refresh { resource_version, .. } = &ask;
        let app = self.app.as_mut()?;
        if app.refresh.is_some() || *resource_version != app.resource_version {
            return None;
        }
        let later = |by: u64| (app.resource_version.parse::<u64>().unwrap() + by).to_string();
        self.memory.asked(&ask, &Asked::Set { resource_version: later(1) });
        app.resource_version = later(2);
        Some(self.look(self.since.unwrap() + Duration::from_secs(60)).swap_remove(0))
    }
}

fn note(said: &mut Vec<String>, line: usize, word: &str) {
    if said.last().is_none_or(|it| !it.ends_with(word)) {
        said.push(format!("{line} {word}"));
    }
}

fn kind(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Ready(_) => "ready",
        Verdict::Waiting { .. } => "waiting",
        Verdict::Blocked { .. } => "blocked",
        Verdict::Failed { .. } => "failed",
        Verdict::Superseded { .. } => "superseded",
        Verdict::Unknown { .. } => "unknown",
    }
}

fn sentence(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Ready(_) => None,
        Verdict::Waiting { why, .. } | Verdict::Blocked { why } | Verdict::Failed { why } | Verdict::Unknown { why } => Some(why.clone()),
        Verdict::Superseded { by } => Some(by.clone()),
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/argocd-traces")
}

fn lines(path: &std::path::Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is missing in {value}")).to_owned()
}
