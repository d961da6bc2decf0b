//! A cluster for tests: a bare git repository with one overlay, and stories told on a clock that the test moves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, Signature};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tomoda_release::rehearsal::argocd::{Setup, Simulation, Timing};
use tomoda_release::rehearsal::cluster::ApplicationSpec;
use tomoda_release::rehearsal::kube::{Access, Clock, Key};
use tomoda_release::rehearsal::stage::Backstage;

pub(crate) const OVERLAY: &str = "bench/tomoda/overlays/dev";
pub(crate) const IMAGE: &str = "registry.example/tomoda/backend";

/// A bare repository that is written without a work tree.
pub(crate) struct Repo {
    pub(crate) dir: TempDir,
    repository: Repository,
}

impl Repo {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let mut options = git2::RepositoryInitOptions::new();
        let repository = Repository::init_opts(dir.path(), options.bare(true).initial_head("main")).unwrap();
        Self { dir, repository }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Commits these files on top of the branch; an empty text removes the file.
    pub(crate) fn push(&self, files: &[(&str, &str)]) -> String {
        let tip = self.repository.find_reference("refs/heads/main").ok().map(|it| it.peel_to_commit().unwrap());
        let base = match &tip {
            Some(tip) => tip.tree().unwrap(),
            None => self.repository.find_tree(self.repository.treebuilder(None).unwrap().write().unwrap()).unwrap(),
        };
        let mut update = TreeUpdateBuilder::new();
        for (path, text) in files {
            if text.is_empty() {
                update.remove(path);
            } else {
                update.upsert(path, self.repository.blob(text.as_bytes()).unwrap(), FileMode::Blob);
            }
        }
        let tree = self.repository.find_tree(update.create_updated(&self.repository, &base).unwrap()).unwrap();
        let who = Signature::now("t", "t@example.com").unwrap();
        let parents: Vec<_> = tip.iter().collect();
        let id: Oid = self.repository.commit(Some("refs/heads/main"), &who, &who, "change", &tree, &parents).unwrap();
        id.to_string()
    }

    /// Commits every file of a folder.
    pub(crate) fn push_folder(&self, folder: &Path) -> String {
        let files = files_below(folder);
        let texts: Vec<(String, String)> =
            files.iter().map(|it| (it.strip_prefix(folder).unwrap().display().to_string(), std::fs::read_to_string(it).unwrap())).collect();
        self.push(&texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>())
    }
}

pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A Deployment of two pods, as the recordings have it.
pub(crate) fn deployment(extra: &str) -> String {
    let label = if extra == "selector" { "b" } else { "a" };
    let node = if extra == "no node" { "\n      nodeSelector: { no: such }" } else { "" };
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: tomoda-api\nspec:\n  replicas: 2\n  progressDeadlineSeconds: 10\n  selector:\n    matchLabels: {{ app: {label} }}\n  template:\n    metadata:\n      labels: {{ app: {label} }}\n    spec:{node}\n      containers:\n        - name: a\n          image: {IMAGE}\n"
    )
}

/// The overlay at this tag.
pub(crate) fn overlay(tag: &str, resources: &[&str]) -> String {
    let resources: String = resources.iter().map(|it| format!("  - {it}\n")).collect();
    format!("namespace: tomoda\nresources:\n{resources}images:\n  - name: {IMAGE}\n    newTag: {tag}\n")
}

pub(crate) fn overlay_file() -> String {
    format!("{OVERLAY}/kustomization.yaml")
}

/// A repository that holds the overlay at this tag.
pub(crate) fn repo_at(tag: &str) -> Repo {
    let repo = Repo::new();
    let file = format!("{OVERLAY}/deployment.yaml");
    repo.push(&[(&overlay_file(), &overlay(tag, &["deployment.yaml"])), (&file, &deployment(""))]);
    repo
}

pub(crate) fn application() -> ApplicationSpec {
    ApplicationSpec {
        name: "tomoda".into(),
        namespace: "argocd".into(),
        path: OVERLAY.into(),
        dest_namespace: "tomoda".into(),
        branch: "main".into(),
        repo_url: "https://git.example/config.git".into(),
    }
}

/// Every image exists but those of tags that begin with `absent`.
pub(crate) fn setup(repo: &Repo, timing: Timing, clock: Clock) -> Setup {
    Setup {
        repository: repo.path(),
        applications: vec![application()],
        images: Arc::new(|image: &str| (!image.contains(":absent")).then(|| digest_of(image))),
        timing,
        clock,
        access: Access::Open,
        argocd_token: None,
        backstage: Backstage::default(),
    }
}

/// A digest for an image: its name in hexadecimal, cut to length.
pub(crate) fn digest_of(image: &str) -> String {
    let hex: String = image.bytes().rev().map(|it| format!("{it:02x}")).collect();
    format!("sha256:{:0<64}", &hex[..hex.len().min(64)])
}

/// A simulation on a clock that the test moves, and every state its Application passed through.
pub(crate) struct Story {
    pub(crate) repo: Repo,
    pub(crate) simulation: Simulation,
    pub(crate) now: Timestamp,
    seen: u64,
    pub(crate) states: Vec<Value>,
}

impl Story {
    /// A cluster that settled long ago at the first tag; the story begins `offset` after a full second.
    pub(crate) fn begin(timing: Timing, offset: Duration) -> Self {
        let repo = repo_at("dev-0000001");
        let start: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let mut simulation = Simulation::new(setup(&repo, timing, Clock::standing_at(start)), start);
        let now = start + Duration::from_secs(600) + offset;
        simulation.run_until(now);
        let mut story = Self { repo, seen: simulation.store().version(), simulation, now, states: Vec::new() };
        story.states.push(story.application());
        story
    }

    pub(crate) fn key() -> Key {
        Key::new("argoproj.io", "Application", "argocd", "tomoda")
    }

    pub(crate) fn application(&self) -> Value {
        Value::clone(self.simulation.store().get(&Self::key()).unwrap())
    }

    pub(crate) fn deployment(&self) -> Value {
        Value::clone(self.simulation.store().get(&Key::new("apps", "Deployment", "tomoda", "tomoda-api")).unwrap())
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        self.simulation.run_until(self.now);
        self.take_down();
    }

    fn take_down(&mut self) {
        let changes: Vec<_> =
            self.simulation.store().since(self.seen).map_err(|it| format!("forgotten before {it}")).unwrap().cloned().collect();
        self.seen = self.simulation.store().version();
        for change in changes.into_iter().filter(|it| it.key == Self::key()) {
            self.states.push(Value::clone(&change.after.unwrap()));
        }
    }

    pub(crate) fn push_tag(&mut self, tag: &str) -> String {
        self.repo.push(&[(&overlay_file(), &overlay(tag, &["deployment.yaml"]))])
    }

    pub(crate) fn push_deployment(&mut self, tag: &str, extra: &str) -> String {
        let file = format!("{OVERLAY}/deployment.yaml");
        self.repo.push(&[(&overlay_file(), &overlay(tag, &["deployment.yaml"])), (&file, &deployment(extra))])
    }

    pub(crate) fn refresh(&mut self) {
        self.simulation.request_refresh("tomoda");
        self.take_down();
    }

    pub(crate) fn edit(&mut self, key: &Key, edit: impl FnOnce(&mut Value)) {
        self.simulation.write(|store| store.update(key, edit));
        self.take_down();
    }

    pub(crate) fn moments(&self, order: &[String]) -> Vec<String> {
        let mut names = Names::new(order);
        self.states.iter().map(|it| moment(it, &mut names)).collect()
    }
}

/// Names for commits: `r0` is where a story begins, `r1` and `r2` follow in the order in which they came up.
pub(crate) struct Names {
    known: BTreeMap<String, String>,
    pushed: usize,
}

impl Names {
    /// Names what a story pushes, in that order.
    pub(crate) fn new(pushed: &[String]) -> Self {
        let known = pushed.iter().enumerate().map(|(at, id)| (id.clone(), format!("r{}", at + 1))).collect();
        Self { known, pushed: pushed.len() }
    }

    fn name(&mut self, revision: &Value) -> String {
        let Some(revision) = revision.as_str() else { return "-".into() };
        if revision.len() != 40 {
            return "branch".into();
        }
        if let Some(known) = self.known.get(revision) {
            return known.clone();
        }
        let name = if self.known.values().any(|it| it == "r0") {
            self.pushed += 1;
            format!("r{}", self.pushed)
        } else {
            "r0".to_owned()
        };
        self.known.insert(revision.to_owned(), name.clone());
        name
    }
}

/// What of an Application matters to whoever waits for it, as words.
pub(crate) fn moment(application: &Value, names: &mut Names) -> String {
    let status = &application["status"];
    let (sync, state) = (&status["sync"], &status["operationState"]);
    // The comparison is read first: a story begins at the commit that was compared.
    let compared = names.name(&sync["revision"]);
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let yes = |is: bool| if is { "yes" } else { "no" };
    let time = |value: &Value| value.as_str().and_then(|it| it.parse::<Timestamp>().ok());
    let reconciled = match (time(&status["reconciledAt"]), time(&state["finishedAt"])) {
        (Some(reconciled), Some(finished)) => match reconciled.cmp(&finished) {
            std::cmp::Ordering::Less => "before",
            std::cmp::Ordering::Equal => "same",
            std::cmp::Ordering::Greater => "after",
        },
        _ => "-",
    };
    let operation = &application["operation"]["sync"];
    let state_words = match state["phase"].as_str() {
        Some(phase) => format!("{phase}@{}", names.name(&state["operation"]["sync"]["revision"])),
        None => "-".into(),
    };
    let errors: Vec<String> = status["conditions"].as_array().into_iter().flatten().map(|it| text(&it["type"])).collect();
    format!(
        "asked={} sync={}@{compared} health={} op={} heal={} state={state_words} finished={} retry={} reconciled={reconciled} error={}",
        yes(application["metadata"]["annotations"].get("argocd.argoproj.io/refresh").is_some()),
        text(&sync["status"]),
        text(&status["health"]["status"]),
        names.name(&operation["revision"]),
        yes(operation.get("autoHealAttemptsCount").is_some()),
        yes(state.get("finishedAt").is_some()),
        state["retryCount"].as_u64().unwrap_or(0),
        if errors.is_empty() { "no".to_owned() } else { errors.join("+") },
    )
}

/// Checks that states pass through moments in order. Says the first moment that was not reached, or what must not be.
pub(crate) fn passes_through(states: &[String], moments: &str) -> Result<(), String> {
    let fits = |state: &str, wanted: &str| {
        let words: Vec<&str> = state.split(' ').collect();
        wanted.split_whitespace().all(|it| words.contains(&it))
    };
    let mut at = 0;
    for line in moments.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#')) {
        if let Some(never) = line.strip_prefix("never ") {
            if let Some(state) = states.iter().find(|it| fits(it, never)) {
                return Err(format!("“{never}” must not be: {state}"));
            }
        } else if let Some(end) = line.strip_prefix("end ") {
            let last = states.last().map(String::as_str).unwrap_or_default();
            if !fits(last, end) {
                return Err(format!("the end is not “{end}”: {last}"));
            }
        } else {
            match states[at..].iter().position(|it| fits(it, line)) {
                Some(found) => at += found,
                None => return Err(format!("“{line}” was not reached")),
            }
        }
    }
    Ok(())
}

/// Asks `kubectl` for something, in an environment of its own.
pub(crate) fn kubectl(kubeconfig: &Path, arguments: &[&str]) -> std::process::Output {
    std::process::Command::new("kubectl")
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", kubeconfig.parent().unwrap())
        .env("KUBECONFIG", kubeconfig)
        .output()
        .unwrap()
}

/// Whether a program is there. Under `TOMODA_REAL=1` it has to be.
pub(crate) fn has(program: &str) -> bool {
    let found = std::process::Command::new(program).arg("version").arg("--client").output().is_ok();
    assert!(found || std::env::var_os("TOMODA_REAL").is_none_or(|it| it != "1"), "{program} is missing, and TOMODA_REAL=1");
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// An annotation patch, as clients send it to ask for a look.
pub(crate) fn refresh_patch() -> Value {
    json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": "normal" } } })
}
