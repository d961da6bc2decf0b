//! World #2: everything outside the loop, in memory, in which every call can be the last one.
//!
//! It holds what really happened (`Outside`, which survives a crash) apart from what one process sees and may still do
//! (`Sim`, which does not). Each protection of the program can be taken away, to prove that it is needed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tomoda_release::decide::Wants;
use tomoda_release::error::{Error, Result};
use tomoda_release::model::*;
use tomoda_release::world::{Appended, World};

pub(crate) const BACKEND_DEV: &str = "registry.example/dev/backend";
pub(crate) const BACKEND_PROD: &str = "registry.example/prod/backend";

/// A process died here.
pub(crate) const CRASH: &str = "crash";

/// What really happened. No process can make it unhappen.
#[derive(Clone, Debug)]
pub(crate) struct Outside {
    pub(crate) records: Vec<Vec<Event>>,
    pub(crate) state: State,
    /// The config branch, oldest first: id, overlay texts by environment, the run that made it.
    pub(crate) commits: Vec<(CommitId, BTreeMap<EnvName, String>, Option<RunId>)>,
    pub(crate) tags: Vec<TagSeen>,
    /// The app's branch above its first commit, oldest first.
    pub(crate) branch: Vec<HistoryCommit>,
    pub(crate) pages: Vec<String>,
    /// Builds that a tag push triggered.
    pub(crate) builds: usize,
    /// What Argo CD compared last, by Application: an index into `commits`.
    compared: BTreeMap<ApplicationName, usize>,
    resource_version: u64,
    /// How many records, commits, tags and app commits are old enough for every replica to know them.
    settled: (usize, usize, usize, usize),
    refresh: BTreeMap<ApplicationName, bool>,
    now: Timestamp,
}

/// Which protections the program is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Writes refuse to replace what they were not made for (a lease, a "must not exist").
    pub(crate) guarded: bool,
    /// The first look after a start misses the newest write, as a lagging replica would.
    pub(crate) stale: bool,
    /// Writes whose answer gets lost without a crash.
    pub(crate) lost_answers: bool,
}

/// One process's view.
pub(crate) struct Sim {
    pub(crate) outside: Rc<RefCell<Outside>>,
    pub(crate) rules: Rules,
    /// How many more things may happen before the process dies.
    pub(crate) fuse: usize,
    looks: usize,
    /// The ledger's tip this process saw last: how many records.
    tip: usize,
    lost: usize,
    waits: usize,
}

pub(crate) fn commit(n: usize) -> CommitId {
    CommitId::parse(&format!("{n:040x}")).unwrap()
}

pub(crate) fn digest(n: usize) -> Digest {
    Digest::parse(&format!("sha256:{n:064x}")).unwrap()
}

pub(crate) fn env(name: &str) -> EnvName {
    EnvName::parse(name).unwrap()
}

fn overlay(image: &str, tag: &str) -> String {
    format!("kind: Kustomization\nimages:\n  - name: {image}\n    newTag: {tag} # written by the tool\n")
}

impl Outside {
    pub(crate) fn new() -> Self {
        let texts = BTreeMap::from([(env("dev"), overlay(BACKEND_DEV, "dev-0000000")), (env("prod"), overlay(BACKEND_PROD, "v0.4.2"))]);
        Self {
            records: Vec::new(),
            state: State::default(),
            commits: vec![(commit(0xc000), texts, None)],
            tags: vec![TagSeen {
                name: "v0.4.2".into(),
                version: Version::parse("0.4.2").unwrap(),
                object: commit(0xaaa).object().clone(),
                commit: commit(1),
                header: Some("v0.4.2".into()),
                onto: None,
            }],
            branch: [(1, "chore: first"), (2, "fix: second"), (3, "feat: third"), (4, "docs: not built")].map(app_commit).to_vec(),
            pages: Vec::new(),
            builds: 0,
            compared: BTreeMap::new(),
            resource_version: 1,
            settled: (0, 1, 1, 4),
            refresh: BTreeMap::new(),
            now: "2026-11-21T09:00:00Z".parse().unwrap(),
        }
    }

    /// Time passes: every replica knows everything.
    pub(crate) fn settle(&mut self) {
        self.settled = (self.records.len(), self.commits.len(), self.tags.len(), self.branch.len());
    }

    /// What a calm run and a crashed one must agree on.
    pub(crate) fn end(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let texts: Vec<_> = self.commits.iter().map(|it| it.1.clone()).collect();
        let tags: Vec<_> = self.tags.iter().map(|it| (it.name.clone(), it.commit.clone())).collect();
        let proved: Vec<_> = self.state.proved.iter().map(|(env, it)| (env.clone(), it.images.clone(), it.version)).collect();
        let completed = self.records.iter().flatten().filter(|it| matches!(it, Event::Completed { .. })).count();
        let branch: Vec<_> = self.branch.iter().map(|it| it.id.clone()).collect();
        (texts, tags, branch, self.pages.clone(), self.builds, proved, self.state.open.len(), completed)
    }
}

impl Sim {
    pub(crate) fn new(outside: Rc<RefCell<Outside>>, rules: Rules, fuse: usize) -> Self {
        Self { outside, rules, fuse, looks: 0, tip: 0, lost: 0, waits: 0 }
    }

    fn burn(&mut self) -> Result<()> {
        if self.fuse == 0 {
            return Err(Error::bug(CRASH));
        }
        self.fuse -= 1;
        Ok(())
    }

    /// Every third write is carried out and its answer lost, when the rules say so.
    fn answer<T>(&mut self, value: T) -> Result<T> {
        self.burn()?;
        self.lost += 1;
        if self.rules.lost_answers && self.lost.is_multiple_of(3) {
            return Err(Error::remote("The connection was reset."));
        }
        Ok(value)
    }

    fn is_stale(&self) -> bool {
        self.rules.stale && self.looks <= 3
    }
}

impl World for Sim {
    async fn look(&mut self, wants: &Wants) -> Result<Sighting> {
        self.burn()?;
        self.looks += 1;
        assert!(self.looks < 2_000, "livelock: it looked for ever");
        let stale = self.is_stale();
        let mut out = self.outside.borrow_mut();
        out.now += SignedDuration::from_secs(1);
        let missed = usize::from(stale && out.records.len() > out.settled.0);
        let visible = out.records.len() - missed;
        let state = if missed == 0 { out.state.clone() } else { replay(&out.records[..visible]) };
        self.tip = visible;
        let mut seen = Sighting::of_ledger(out.now, state, visible.checked_sub(1).map(|it| it as u64));
        for (name, run) in &wants.overlays {
            seen.overlays.insert(name.clone(), Seen::Known(look_at_overlay(&out, name, run.as_ref(), stale)));
        }
        for repository in &wants.listings {
            let tag = |n: usize| TaggedImage {
                tag: Tag::parse(&format!("dev-{}", &commit(n).as_str()[..40])).unwrap(),
                digest: Some(digest(n)),
                uploaded: None,
            };
            seen.listings.insert(repository.clone(), Seen::Known(Listing { tags: vec![tag(1), tag(3), tag(2)], requests: 1 }));
        }
        if let Some(app) = &wants.app {
            seen.app = Some(Seen::Known(look_at_app(&out, app, stale)));
        }
        for (repository, tag) in &wants.digests {
            let there = out.tags.iter().any(|it| it.name == tag.as_str());
            seen.digests.insert((repository.clone(), tag.clone()), Seen::Known(there.then(|| digest(0xd1))));
        }
        if let Some(builds) = &wants.builds {
            let found = out.tags.iter().filter(|it| it.name == builds.tag).map(|it| build(&it.commit, self.looks)).collect();
            seen.builds.insert(ComponentName::parse("backend").unwrap(), Seen::Known(found));
        }
        if let Some(gates) = &wants.gates {
            look_at_gates(&mut out, gates, &mut seen);
        }
        if let Some(tag) = &wants.page {
            let there = !stale && out.pages.contains(tag);
            seen.page = Some(Seen::Known(there.then(|| format!("https://forge.example/{tag}"))));
        }
        Ok(seen)
    }

    async fn perform(&mut self, work: &Work) -> Result<Performed> {
        self.burn()?; // dies before the write
        let guarded = self.rules.guarded;
        let performed = {
            let mut out = self.outside.borrow_mut();
            let landed = |object: &CommitId| {
                Performed::Settled(Outcome::Landed { object: Some(object.object().clone()), reference: "somewhere".into(), adopted: false })
            };
            match work {
                Work::CommitFile { step, onto, text, .. } => {
                    let tip = out.commits.last().unwrap().clone();
                    if guarded && tip.0 != *onto {
                        Performed::Overtaken
                    } else {
                        let id = commit(0xc000 + out.commits.len());
                        let mut texts = tip.1.clone();
                        texts.insert(step.environment.clone(), text.clone());
                        out.commits.push((id.clone(), texts, Some(step.run.clone())));
                        landed(&id)
                    }
                }
                Work::CreateTag { step: cut, files } => {
                    assert_eq!(files.len(), cut.release.as_ref().map_or(0, |it| it.files.len()));
                    assert!(files.iter().all(|it| it.text == format!("{}\n", cut.version)), "{files:?}");
                    if guarded && out.tags.iter().any(|it| it.name == cut.name) {
                        Performed::Overtaken
                    } else {
                        let object = commit(0xaaa0 + out.tags.len());
                        out.tags.push(TagSeen {
                            name: cut.name.clone(),
                            version: cut.version,
                            object: object.object().clone(),
                            commit: cut.commit.clone(),
                            header: Some(cut.name.clone()),
                            onto: cut.release.as_ref().map(|it| it.onto.clone()),
                        });
                        out.builds += 1;
                        landed(&object)
                    }
                }
                Work::AdvanceBranch(advance) => {
                    if guarded && out.branch.last().unwrap().id != advance.onto {
                        Performed::Overtaken
                    } else {
                        let (id, parents) = (advance.commit.clone(), vec![advance.onto.clone()]);
                        out.branch.push(HistoryCommit { id, parents, message: format!("chore(release): {}\n", advance.tag) });
                        landed(&advance.commit)
                    }
                }
                Work::CreatePage(page) => {
                    if guarded && out.pages.contains(&page.tag) {
                        Performed::Overtaken
                    } else {
                        out.pages.push(page.tag.clone());
                        Performed::Settled(Outcome::Landed { object: None, reference: "page".into(), adopted: false })
                    }
                }
            }
        };
        self.answer(performed) // dies after the write, before anyone hears of it
    }

    async fn append(&mut self, events: &[Event]) -> Result<Appended> {
        self.burn()?;
        let appended = {
            let mut out = self.outside.borrow_mut();
            if out.records.len() != self.tip {
                Appended::Lost
            } else {
                let now = out.now;
                let mut state = out.state.clone();
                for event in events {
                    state = state.after(event, now, "sim").map_err(Error::ledger)?;
                }
                out.state = state.clone();
                out.records.push(events.to_vec());
                self.tip = out.records.len();
                Appended::Recorded { state, seq: self.tip as u64 - 1 }
            }
        };
        self.answer(appended)
    }

    async fn claim(&mut self, _: &EnvName) -> Result<()> {
        Ok(())
    }

    async fn ask(&mut self, ask: &Ask) -> Result<Asked> {
        let Ask::Refresh { application, .. } = ask;
        let mut out = self.outside.borrow_mut();
        out.resource_version += 1;
        out.refresh.insert(application.clone(), true);
        Ok(Asked::Set { resource_version: out.resource_version.to_string() })
    }

    fn tell(&mut self, _: News) {}

    fn now(&self) -> Timestamp {
        self.outside.borrow().now
    }

    async fn wait(&mut self, pause: Duration) -> Result<()> {
        self.waits += 1;
        assert!(self.waits < 2_000, "livelock: it waited for ever");
        self.outside.borrow_mut().now += SignedDuration::try_from(pause).unwrap();
        // Another driver may go on meanwhile.
        tokio::task::yield_now().await;
        Ok(())
    }
}

/// The state that a prefix of the ledger leaves.
fn replay(records: &[Vec<Event>]) -> State {
    let at = "2026-11-21T09:00:00Z".parse().unwrap();
    records.iter().flatten().fold(State::default(), |state, event| state.after(event, at, "sim").unwrap())
}

fn look_at_overlay(out: &Outside, name: &EnvName, run: Option<&RunId>, stale: bool) -> OverlaySeen {
    let visible = out.commits.len() - usize::from(stale && out.commits.len() > out.settled.1);
    let commits = &out.commits[..visible];
    let (tip, texts, _) = commits.last().unwrap();
    let ours = run.and_then(|run| commits.iter().rev().find(|it| it.2.as_ref() == Some(run)).map(|it| it.0.clone()));
    OverlaySeen { tip: tip.clone(), file: RepoPath::parse(&format!("{name}/kustomization.yaml")).unwrap(), text: texts[name].clone(), ours }
}

fn look_at_app(out: &Outside, wants: &tomoda_release::decide::AppWants, stale: bool) -> AppSeen {
    let newest = out.branch.len() - usize::from(stale && out.branch.len() > out.settled.3);
    let visible = out.tags.len() - usize::from(stale && out.tags.len() > out.settled.2);
    let same = vec![Some(commit(0x5ee).object().clone())];
    let sources = wants.sources.iter().flat_map(|(component, image, release)| {
        [((component.clone(), image.clone()), same.clone()), ((component.clone(), release.clone()), same.clone())]
    });
    AppSeen {
        history: out.branch[..newest].iter().rev().cloned().collect(),
        tags: out.tags[..visible].to_vec(),
        sources: sources.collect(),
        files: wants.files.iter().map(|it| (it.clone(), Some("0.4.2\n".to_owned()))).collect(),
        release: wants.release.clone().map(|it| (it, commit(0x7e1))),
        ..AppSeen::default()
    }
}

/// A commit of the app's branch on top of the one before.
fn app_commit((n, message): (usize, &str)) -> HistoryCommit {
    let parents = if n > 1 { vec![commit(n - 1)] } else { Vec::new() };
    HistoryCommit { id: commit(n), parents, message: message.to_owned() }
}

fn build(of: &CommitId, looks: usize) -> BuildSeen {
    BuildSeen {
        id: "b1".into(),
        status: if looks.is_multiple_of(2) { BuildStatus::Succeeded } else { BuildStatus::Working },
        detail: None,
        log_url: "https://builds.example/b1".into(),
        commit: Some(of.clone()),
        created: None,
        images: vec![(BACKEND_PROD.into(), digest(0xd1))],
    }
}

/// Argo CD looks at git when it is asked to, and takes its time to become healthy.
fn look_at_gates(out: &mut Outside, wants: &tomoda_release::decide::GateWants, seen: &mut Sighting) {
    let name = ApplicationName::parse(wants.environment.as_str()).unwrap();
    let tip = out.commits.len() - 1;
    if out.refresh.insert(name.clone(), false) == Some(true) {
        out.resource_version += 1;
        out.compared.insert(name.clone(), tip);
    }
    let compared = out.compared.get(&name).copied().unwrap_or(0);
    let (revision, texts, _) = out.commits[compared].clone();
    let ours = out.commits.iter().position(|it| it.0 == wants.commit).unwrap();
    let at = out.now - SignedDuration::from_secs(30);
    let operation = OperationSeen {
        phase: "Succeeded".into(),
        revision: Some(revision.to_string()),
        started_at: Some(at),
        finished_at: Some(at),
        ..OperationSeen::default()
    };
    let application = ApplicationSeen {
        resource_version: out.resource_version.to_string(),
        source: None,
        sync: Some("Synced".into()),
        revision: Some(revision.to_string()),
        health: Some("Healthy".into()),
        reconciled_at: Some(out.now),
        operation: Some(operation),
        automated: true,
        contains_ours: Some(compared >= ours),
        holds_our_images: Some(texts[&wants.environment] == out.commits[ours].1[&wants.environment]),
        ..ApplicationSeen::default()
    };
    seen.applications.insert(name, Seen::Known(application));
    let images = wants.images.iter().map(|it| match &it.digest {
        Some(digest) => format!("{}:{}@{digest}", it.repository, it.tag),
        None => format!("{}:{}", it.repository, it.tag),
    });
    let workload = WorkloadSeen {
        generation: 1,
        observed_generation: 1,
        desired: Some(2),
        replicas: 2,
        updated: 2,
        available: 2,
        images: if compared >= ours { images.collect() } else { vec!["registry.example/old:1".into()] },
        ..WorkloadSeen::default()
    };
    seen.workloads.insert("api".into(), Seen::Known(Some(workload)));
}
