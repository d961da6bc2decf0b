//! The builds of the world: made by pushes, moved on by time, ended by what was ordered for them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::BuildTiming;
use super::build::{Approval, Build, Status};
use super::recipe::{self, Cause, Recipe};
use super::trigger::{Fires, Trigger};
use crate::io::clock;
use crate::rehearsal::git::Moved;
use crate::rehearsal::history::Commit;
use crate::rehearsal::registry::{Image, Images};
use crate::rehearsal::stage::{Chance, EventLog};

/// How a build is made to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Not at all: it stays in the queue.
    Never,
    /// In this final status, without pushing its image.
    With(Status),
    /// Well, and its image is pushed, but the build does not name it: a step pushed it.
    SuccessWithoutResults,
}

/// All builds. Cheap to clone; all clones are one yard.
#[derive(Clone, Debug)]
pub(super) struct Yard {
    repository: PathBuf,
    source_url: String,
    images: Images,
    chance: Chance,
    timing: BuildTiming,
    events: EventLog,
    pub(super) triggers: Arc<Vec<Trigger>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order they were created.
    builds: Vec<Build>,
    /// By trigger name: how the next builds end.
    endings: Vec<(String, Ending)>,
}

/// What a yard is made from.
pub(super) struct Ground {
    pub(super) repository: PathBuf,
    pub(super) source_url: String,
    pub(super) images: Images,
    pub(super) chance: Chance,
    pub(super) timing: BuildTiming,
    pub(super) events: EventLog,
}

impl Yard {
    pub(super) fn new(ground: Ground) -> Self {
        let triggers = Arc::new(super::trigger::all(&ground.chance));
        let Ground { repository, source_url, images, chance, timing, events } = ground;
        Self { repository, source_url, images, chance, timing, events, triggers, state: Arc::default() }
    }

    /// Builds that ended before the world began: each commit's dev images, and the releases.
    pub(super) fn remember(&self, past: &[Commit]) {
        for commit in past {
            let second = |plus| Timestamp::from_second(commit.time + plus).unwrap_or(Timestamp::UNIX_EPOCH);
            for trigger in self.triggers.iter() {
                let fired = match trigger.fires {
                    Fires::Push => commit.builds.iter().any(|it| trigger.name.starts_with(it)),
                    Fires::Tag => commit.tag.is_some(),
                };
                let tag = commit.tag.filter(|_| trigger.fires == Fires::Tag).map(str::to_owned);
                if fired {
                    let cause = Cause { commit: commit.id.clone(), tag };
                    let id = self.create(trigger, &cause, second(90));
                    self.start(&id, second(95));
                    self.finish(&id, None, second(215));
                }
            }
        }
        self.state().builds.sort_by_key(|it| it.created);
    }

    /// Creates the builds that a push sets off, after the time a webhook takes.
    pub(super) async fn pushed(&self, moved: &[Moved]) {
        let fired: Vec<(Trigger, Cause)> = moved.iter().flat_map(|it| self.fired_by(it)).collect();
        if fired.is_empty() {
            return;
        }
        clock::wait(self.timing.webhook).await;
        for (trigger, cause) in fired {
            let id = self.create(&trigger, &cause, clock::now());
            self.run(id);
        }
    }

    fn fired_by(&self, moved: &Moved) -> Vec<(Trigger, Cause)> {
        let Some(to) = &moved.to else { return Vec::new() };
        let tag = moved.name.strip_prefix("refs/tags/");
        let Some(commit) = self.peel(to) else { return Vec::new() };
        let touched = if moved.name == "refs/heads/main" { self.touched(moved.from.as_deref(), to) } else { Vec::new() };
        let fires = |trigger: &&Trigger| match trigger.fires {
            Fires::Push => touched.iter().any(|it| trigger.includes(it)),
            Fires::Tag => tag.is_some_and(Trigger::is_release_tag),
        };
        let cause = Cause { commit, tag: tag.map(str::to_owned) };
        self.triggers.iter().filter(fires).map(|it| (it.clone(), cause.clone())).collect()
    }

    pub(super) fn peel(&self, object: &str) -> Option<String> {
        let repository = git2::Repository::open_bare(&self.repository).ok()?;
        let commit = repository.revparse_single(object).ok()?.peel_to_commit().ok()?;
        Some(commit.id().to_string())
    }

    /// The files in which two commits differ.
    fn touched(&self, from: Option<&str>, to: &str) -> Vec<String> {
        let diff = || {
            let repository = git2::Repository::open_bare(&self.repository)?;
            let tree = |it: &str| repository.revparse_single(it)?.peel_to_tree();
            let old = from.map(tree).transpose()?;
            let diff = repository.diff_tree_to_tree(old.as_ref(), Some(&tree(to)?), None)?;
            let files =
                diff.deltas().flat_map(|it| [it.old_file().path(), it.new_file().path()].map(|it| it.map(std::path::Path::to_owned)));
            Ok::<_, git2::Error>(files.flatten().map(|it| it.to_string_lossy().into_owned()).collect())
        };
        diff().unwrap_or_default()
    }

    /// Creates a build. One that cannot even start ends at once.
    pub(super) fn create(&self, trigger: &Trigger, cause: &Cause, now: Timestamp) -> String {
        let id = self.chance.uuid();
        let (recipe, failure) = recipe::read(&self.repository, trigger, &id, cause);
        let failure = failure.map(|why| ("FETCH_SOURCE_FAILED", why));
        let waits = trigger.fires == Fires::Push && failure.is_none();
        let status = match (&failure, waits) {
            (Some(_), _) => Status::Failure,
            (None, true) => Status::Pending,
            (None, false) => Status::Queued,
        };
        let Recipe { substitutions, steps, images, logging } = recipe;
        let build = Build {
            id: id.clone(),
            trigger: trigger.clone(),
            status,
            created: now,
            started: None,
            finished: failure.as_ref().map(|_| now),
            source_url: self.source_url.clone(),
            commit: cause.commit.clone(),
            substitutions,
            steps,
            logging,
            images,
            results: Vec::new(),
            approval: waits.then(Approval::waiting),
            failure,
        };
        self.tell(&build);
        self.state().builds.push(build);
        id
    }

    /// Moves a build on from wherever it is, as time passes.
    pub(super) fn run(&self, id: String) {
        let yard = self.clone();
        tokio::spawn(async move {
            if yard.build(&id).is_some_and(|it| it.status == Status::Pending) {
                if yard.timing.manual_approval {
                    return;
                }
                clock::wait(yard.timing.approve).await;
                yard.approve(&id, "APPROVED", "", "");
            }
            clock::wait(yard.timing.queue).await;
            let ending = yard.take_ending(&id);
            if ending == Some(Ending::Never) {
                return;
            }
            yard.start(&id, clock::now());
            clock::wait(yard.timing.work).await;
            yard.finish(&id, ending, clock::now());
        });
    }

    /// Says yes or no to a build that waits. Whether it did wait.
    pub(super) fn approve(&self, id: &str, decision: &'static str, comment: &str, url: &str) -> bool {
        self.change(id, &[Status::Pending], |build| {
            let approval = Approval { state: decision, at: Some(clock::now()), comment: comment.to_owned(), url: url.to_owned() };
            build.approval = Some(approval);
            if decision == "APPROVED" {
                build.status = Status::Queued;
            } else {
                build.status = Status::Cancelled;
                build.finished = Some(clock::now());
            }
        })
    }

    /// Cancels a build that has not ended. Whether it had not.
    pub(super) fn cancel(&self, id: &str) -> bool {
        self.change(id, &[Status::Pending, Status::Queued, Status::Working], |build| {
            build.status = Status::Cancelled;
            build.finished = Some(clock::now());
        })
    }

    fn start(&self, id: &str, now: Timestamp) {
        self.change(id, &[Status::Pending, Status::Queued], |build| {
            build.status = Status::Working;
            build.started = Some(now);
            if let Some(approval) = build.approval.as_mut().filter(|it| it.at.is_none()) {
                approval.state = "APPROVED";
                approval.at = Some(now);
            }
        });
    }

    fn finish(&self, id: &str, ending: Option<Ending>, now: Timestamp) {
        let images = self.images.clone();
        self.change(id, &[Status::Working], |build| {
            build.finished = Some(now);
            build.status = match &ending {
                Some(Ending::With(status)) => *status,
                _ => push(&images, build, now),
            };
            if ending == Some(Ending::SuccessWithoutResults) {
                build.results.clear();
            }
            if build.status == Status::Failure && build.failure.is_none() {
                build.failure =
                    Some(("USER_BUILD_STEP", "Build step failure: build step 0 failed: step exited with non-zero status: 1".into()));
            }
        });
    }

    /// Orders how the next build of a trigger ends.
    pub(super) fn order(&self, trigger: &str, ending: Ending) {
        self.state().endings.push((trigger.to_owned(), ending));
    }

    fn take_ending(&self, id: &str) -> Option<Ending> {
        let trigger = self.build(id)?.trigger.name;
        let mut state = self.state();
        let at = state.endings.iter().position(|(it, _)| *it == trigger)?;
        Some(state.endings.remove(at).1)
    }

    /// One build.
    pub(super) fn build(&self, id: &str) -> Option<Build> {
        self.state().builds.iter().find(|it| it.id == id).cloned()
    }

    /// All builds, the newest first, each with its place in the order of creation.
    pub(super) fn newest_first(&self) -> Vec<(usize, Build)> {
        self.state().builds.iter().cloned().enumerate().rev().collect()
    }

    /// Changes a build when it is in one of these states. Whether it was.
    fn change(&self, id: &str, from: &[Status], change: impl FnOnce(&mut Build)) -> bool {
        let mut state = self.state();
        let Some(build) = state.builds.iter_mut().find(|it| it.id == id && from.contains(&it.status)) else { return false };
        change(build);
        self.tell(build);
        true
    }

    fn tell(&self, build: &Build) {
        let what = build.images.first().and_then(|it| it.rsplit_once('/')).map_or(build.trigger.name.as_str(), |(_, image)| image);
        let images = if build.status == Status::Success { " and pushed its image" } else { "" };
        self.events.add("cloud build", format!("{} for {what} is {}{images}", build.trigger.name, build.status.name()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pushes what a build made; the registry may refuse it.
fn push(images: &Images, build: &mut Build, now: Timestamp) -> Status {
    let substitution = |key: &str| build.substitutions.get(key).cloned().unwrap_or_default();
    let version = substitution("TAG_NAME");
    for name in &build.images {
        let (image, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
        let component = image.rsplit('/').next().unwrap_or(image);
        let content = Image::build(component, &version, &build.commit, now);
        match images.push(image, tag, &content, now) {
            Ok(digest) => build.results.push((name.clone(), digest)),
            Err(why) => {
                build.failure = Some(("PUSH_FAILED", format!("failed to push image {name:?}: {why}")));
                return Status::Failure;
            }
        }
    }
    Status::Success
}
