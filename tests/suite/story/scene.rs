//! One world in which nothing takes time, the program as separate machines in it, and what has to be true at the end.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Child;
use tomoda_release::io::git::{Remote, Store};
use tomoda_release::model::State;
use tomoda_release::record::Ledger;
use tomoda_release::rehearsal::play::{self, Change};
use tomoda_release::rehearsal::{Pace, World, git};

use crate::support::world::{clean, world};

/// No run takes longer, even on a busy computer.
const LONGEST: Duration = Duration::from_secs(90);

/// How a run of the program ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ended {
    /// What it printed for programs.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    pub(super) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// An error whose message has all these words.
    pub(super) fn says(self, code: i32, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "{word:?} is missing in: {}", self.err);
        }
        self.expect(code)
    }
}

/// A machine: a home that goes away, and the program running in it.
pub(super) struct Machine {
    pub(super) child: Child,
    home: TempDir,
}

impl Machine {
    /// SIGKILL, and the end of it.
    pub(super) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM.
    pub(super) fn terminate(&self) {
        self.signal("TERM");
    }

    /// A signal, by its name.
    pub(super) fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// What it said on standard error so far.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(self.home.path().join("err")).unwrap()
    }

    pub(super) async fn ended(self) -> Ended {
        let Self { mut child, home } = self;
        let status = tokio::time::timeout(LONGEST, child.wait()).await;
        let text = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap();
        let Ok(status) = status else { panic!("it does not end: {}", text("err")) };
        Ended { code: status.unwrap().code(), out: text("out"), err: text("err") }
    }
}

/// A world and what was there before the story's next part began.
pub(super) struct Scene {
    pub(super) world: World,
    changes: std::cell::Cell<usize>,
}

/// What a release is measured against.
pub(super) struct Before {
    tags: Vec<String>,
    config: String,
    /// The app's commit that is to be released.
    pub(super) commit: String,
}

impl Scene {
    /// Nothing takes time, and a dead driver's lease lasts a second.
    pub(super) async fn new() -> Self {
        let scene = Self { world: world(Pace::instant()).await, changes: 0.into() };
        scene.edit_pipeline(|it| it.replace("lease: 2s", "lease: 1s").replace("      - soak: 1s\n", ""));
        scene
    }

    /// A driver has this much to do after everything was written, and its lease lasts this long.
    pub(super) async fn slow(lease: &str, soak: &str) -> Self {
        let scene = Self { world: world(Pace::instant()).await, changes: 0.into() };
        scene.edit_pipeline(|it| it.replace("lease: 2s", &format!("lease: {lease}")).replace("soak: 1s", &format!("soak: {soak}")));
        scene
    }

    pub(super) fn edit_pipeline(&self, edit: impl Fn(&str) -> String) {
        let file = self.world.pipeline();
        let text = std::fs::read_to_string(&file).unwrap();
        let edited = edit(&text);
        assert_ne!(text, edited);
        std::fs::write(file, edited).unwrap();
    }

    /// Starts the program on a new machine.
    pub(super) fn start(&self, arguments: &[&str]) -> Machine {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("tmp")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tomoda-release"));
        clean(&mut command, home.path());
        command.envs(self.world.environment()).args(arguments).args(["--output", "json"]);
        let file = |name: &str| std::fs::File::create(home.path().join(name)).unwrap();
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        let child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
        Machine { child, home }
    }

    /// Runs the program to its end on a new machine.
    pub(super) async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).ended().await
    }

    pub(super) async fn bump(&self) -> Ended {
        self.run(&["bump", "dev"]).await
    }

    pub(super) async fn promote(&self) -> Ended {
        self.run(&["promote", "--yes"]).await
    }

    /// Pushes a change of these components and waits for their dev images.
    pub(super) async fn change(&self, components: &[&str]) -> String {
        let number = self.changes.replace(self.changes.get() + 1);
        let (text, subject) = (format!("change {number}\n"), format!("fix: change {number}"));
        let paths: Vec<_> = components.iter().map(|it| format!("{it}/change.txt")).collect();
        let files: Vec<_> = paths.iter().map(|it| (it.as_str(), text.as_str())).collect();
        let tip = play::push(&self.world, &[Change { subject: &subject, files: &files }]).await.unwrap();
        for component in components {
            play::dev_image(&self.world, component, &tip, &mut 0, |_| {}).await;
        }
        tip
    }

    /// A new change of both components, and what there is before anybody moves it.
    pub(super) async fn begin(&self) -> Before {
        let commit = self.change(&["backend", "frontend"]).await;
        self.now(&commit)
    }

    /// What there is now, with the commit that is to be released.
    pub(super) fn now(&self, commit: &str) -> Before {
        let commit = commit.to_owned();
        let config = play::commits_since(&self.world, git::CONFIG, "main", None)[0].0.clone();
        Before { tags: play::tags(&self.world), config, commit }
    }

    /// The subjects of the config repository's commits since then, oldest first.
    pub(super) fn commits(&self, before: &Before) -> Vec<String> {
        let commits = play::commits_since(&self.world, git::CONFIG, "main", Some(&before.config));
        commits.into_iter().rev().map(|(_, subject)| subject).collect()
    }

    /// The release tags since then, as `v1.2.3 at 1a2b3c4`.
    pub(super) fn tags(&self, before: &Before) -> Vec<String> {
        play::tags(&self.world).into_iter().filter(|it| !before.tags.contains(it)).collect()
    }

    /// Every ref of both repositories that is no lease.
    pub(super) fn steps(&self) -> Vec<(String, String)> {
        let refs = [git::APP, git::CONFIG].map(|it| git::refs_of(&self.world.git.dir(it)).unwrap_or_default());
        refs.into_iter().flatten().filter(|(name, _)| !name.contains("/lease/")).collect()
    }

    /// The leases that somebody holds.
    pub(super) fn leases(&self) -> Vec<String> {
        let refs = git::refs_of(&self.world.git.dir(git::CONFIG)).unwrap();
        refs.into_keys().filter(|it| it.contains("/lease/")).collect()
    }

    /// The triggers of the builds that a tag set off.
    pub(super) async fn builds(&self, tag: &str) -> Vec<String> {
        let url = format!("{}/v1/projects/development-485000/locations/asia-east1/builds", self.world.cloud_build.url());
        let asked = reqwest::Client::new().get(url).query(&[("pageSize", "100")]).bearer_auth("x").send().await.unwrap();
        let said: Value = asked.error_for_status().unwrap().json().await.unwrap();
        let of_tag = said["builds"].as_array().unwrap().iter().filter(|it| it["substitutions"]["TAG_NAME"] == tag);
        let mut triggers: Vec<_> = of_tag.map(|it| it["substitutions"]["TRIGGER_NAME"].as_str().unwrap_or("?").to_owned()).collect();
        triggers.sort();
        triggers
    }

    /// What the ledger says, read by a stranger with an empty cache.
    pub(super) fn state(&self) -> State {
        tokio::task::block_in_place(|| self.read_state())
    }

    fn read_state(&self) -> State {
        let pipeline = tomoda_release::config::load(&self.world.pipeline()).unwrap();
        let cache = tempfile::tempdir().unwrap();
        let store = Store::open(Remote { url: pipeline.config.repo.clone(), token: None }, cache.path()).unwrap();
        let ledger = Ledger::new(store.into(), &pipeline.ledger, None, &pipeline.name).unwrap();
        ledger.tip().unwrap().map(|it| it.state.clone()).unwrap_or_default()
    }

    pub(super) async fn ledger_is_whole(&self) {
        let verdict = self.run(&["ledger", "verify"]).await.expect(0).json();
        assert_eq!((&verdict["ok"], verdict["findings"].as_array().map(Vec::len)), (&Value::Bool(true), Some(0)), "{verdict}");
    }

    /// One tag at the proved commit, one commit an environment, one set of builds, one page, a whole ledger, everything proved.
    pub(super) async fn is_released(&self, before: &Before) {
        let tags = self.tags(before);
        let [tag] = &tags[..] else { panic!("one tag was to be cut, not {tags:?}") };
        let (name, commit) = tag.split_once(" at ").unwrap();
        assert!(before.commit.starts_with(commit), "{tag} was to be cut at {}", before.commit);
        let commits = self.commits(before);
        assert_eq!(commits.len(), 2, "{commits:?}");
        assert!(commits[0].starts_with("dev: ") && commits[1] == format!("prod: {name}"), "{commits:?}");
        assert_eq!(self.builds(name).await, ["backend-release-trigger", "frontend-release-trigger"]);
        assert_eq!(self.world.github.releases().iter().filter(|it| it["tag_name"] == *name).count(), 1);
        self.ledger_is_whole().await;
        let state = self.state();
        assert!(state.open.is_empty(), "{:?}", state.open);
        for (environment, proved) in &state.proved {
            let commits: Vec<_> = proved.images.iter().map(|it| it.commit.as_ref().unwrap().as_str()).collect();
            assert_eq!(commits, [&before.commit, &before.commit], "{environment}");
            assert!(environment.as_str() == "dev" || proved.version.unwrap().to_string() == name[1..], "{proved:?}");
        }
        assert_eq!(state.proved.len(), 2);
    }
}
