//! The Argo CD gate under random schedules: a small model of the controller's loops, written from what the recordings show and
//! not from the judge. In no schedule may the gate say ready before it is true, and in every one it has to say so in the end.
//!
//! Three loops run on their own: comparisons (a look at git and at what is live, written down later; `reconciledAt` is the
//! whole second of the look), operations (asked for, running, applied somewhere in between, tried again) and the rollout.
//! Other people push, start operations of old revisions and ask for refreshes. The judge is then weakened in three ways, and
//! the model has to catch each of them: a model that cannot would prove nothing.

use std::time::Duration;

use jiff::Timestamp;
use tomoda_release::model::{
    ApplicationName, ApplicationSeen, Ask, Asked, CommitId, ComponentName, GateSpec, OperationSeen, Repository, Seen, Sighting, State, Tag,
    Verdict,
};
use tomoda_release::verify::{Expected, ExpectedImage, Memory, judge_all};

const SCHEDULES: u64 = 10_000;
/// Milliseconds.
const TICK: i64 = 10;
/// When the last outside event happens, and when everything must have been said.
const EVENTS_END: i64 = 12_000;
const END: i64 = 40_000;

#[test]
fn the_gate_is_never_early_and_never_late() {
    let mut said = [0_u64; 2];
    for seed in 0..SCHEDULES {
        match run(seed, Weakness::None) {
            End::Ready => said[0] += 1,
            End::Superseded => said[1] += 1,
            End::Lied(at) => panic!("seed {seed}: ready at {at} ms while it was not"),
            End::Silent(last) => panic!("seed {seed}: never said anything final; at last: {last}"),
        }
    }
    assert!(said.iter().all(|it| *it > SCHEDULES / 20), "the schedules are one-sided: {said:?}");
}

#[test]
fn a_gate_without_the_handshake_is_caught() {
    assert_lies(Weakness::BelievesUnasked);
}

#[test]
fn a_gate_that_trusts_the_same_second_is_caught() {
    assert_lies(Weakness::TrustsTheSameSecond);
}

#[test]
fn a_gate_that_asks_over_somebody_elses_request_is_caught() {
    assert_lies(Weakness::AsksOverOthers);
}

fn assert_lies(weakness: Weakness) {
    let caught = (0..SCHEDULES * 3).find(|seed| matches!(run(*seed, weakness), End::Lied(_)));
    println!("{weakness:?}: caught by seed {caught:?}");
    assert!(caught.is_some(), "no schedule catches a gate that is {weakness:?}");
}

/// How the judge is weakened: by what it is told, so that the judge itself stays the real one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weakness {
    None,
    /// It is told that each request was answered at once.
    BelievesUnasked,
    /// It sees every comparison one second later than it was, so that "later" means "not earlier".
    TrustsTheSameSecond,
    /// It does not see somebody else's request, and its own takes that one's answer.
    AsksOverOthers,
}

#[derive(Debug)]
enum End {
    Ready,
    Superseded,
    Lied(i64),
    Silent(String),
}

fn run(seed: u64, weakness: Weakness) -> End {
    let mut world = World::new(seed);
    let mut driver = Driver::new(weakness);
    let mut look_at = world.pushed_at;
    while world.now < END {
        world.tick();
        if world.now < look_at {
            continue;
        }
        look_at = world.now + world.rng.between(50, 1500);
        match driver.look(&mut world) {
            Verdict::Ready(_) if !world.truth() => return End::Lied(world.now),
            Verdict::Ready(_) => return End::Ready,
            Verdict::Superseded { .. } => return End::Superseded,
            _ => {}
        }
    }
    End::Silent(format!("{:?}", driver.last))
}

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        it ^ (it >> 31)
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.next() % u64::try_from(high - low).unwrap()).unwrap()
    }

    fn chance(&mut self, percent: i64) -> bool {
        self.between(0, 100) < percent
    }
}

/// What the outside does, and when.
#[derive(Clone, Copy)]
enum Outside {
    /// Pushes a commit with this image.
    Push(u32),
    /// Starts an operation of this revision by hand.
    Sync(usize),
    /// Asks for a refresh, as `argocd app get --refresh` does: over any other request.
    Refresh,
}

/// An operation of the operation loop.
#[derive(Clone)]
struct Operation {
    revision: usize,
    heals: u64,
    /// How many tries still fail.
    failures: u32,
    retries: u64,
    phase: &'static str,
    started: i64,
    finished: Option<i64>,
    apply_at: Option<i64>,
    end_at: Option<i64>,
    again_at: Option<i64>,
}

/// A look at git and at what is live, not written down yet.
struct Comparison {
    began: i64,
    write_at: i64,
    refreshing: bool,
    full: bool,
    revision: usize,
    synced: bool,
    healthy: bool,
}

struct World {
    rng: Rng,
    now: i64,
    /// The image at each revision.
    git: Vec<u32>,
    ours: usize,
    pushed_at: i64,
    outside: Vec<(i64, Outside)>,
    // The Application as the API has it.
    version: u64,
    refresh: bool,
    revision: usize,
    synced: bool,
    healthy: bool,
    reconciled: i64,
    requested: Option<(usize, u64, i64)>,
    operation: Option<Operation>,
    // The controller.
    comparison: Option<Comparison>,
    known_tip: usize,
    compare_at: Option<(i64, bool)>,
    resync_at: i64,
    heals: u64,
    // What is live.
    image: u32,
    rolled_out_at: i64,
}

impl World {
    /// An environment at rest or with an operation that keeps failing, and a handful of events to come.
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let now = rng.between(0, 1000);
        let pushed_at = now + rng.between(100, 3000);
        // The last revision is ours: a new image, or the way back to an old one.
        // What is live before, and a revision that keeps failing or that somebody goes back to.
        let mut git = vec![1, 2];
        git.push(if rng.chance(40) { 1 } else { 3 });
        let mut outside = Vec::new();
        if rng.chance(30) {
            let later = if rng.chance(50) { git[2] } else { 4 };
            outside.push((pushed_at + rng.between(50, EVENTS_END), Outside::Push(later)));
        }
        if rng.chance(60) {
            outside.push((pushed_at + rng.between(50, EVENTS_END), Outside::Sync(rng.between(0, 2).try_into().unwrap())));
        }
        for _ in 0..rng.between(0, 9) {
            outside.push((pushed_at + rng.between(-2000, EVENTS_END), Outside::Refresh));
        }
        let failing = rng.chance(40).then(|| Operation {
            revision: 1,
            heals: 0,
            failures: rng.between(1, 4).try_into().unwrap(),
            retries: 0,
            phase: "Running",
            started: now,
            finished: None,
            apply_at: Some(now + 50),
            end_at: Some(now + 100),
            again_at: None,
        });
        let resync_at = now + rng.between(1000, 20_000);
        Self {
            rng,
            now,
            ours: 2,
            pushed_at,
            outside,
            version: 100,
            refresh: false,
            revision: 1,
            synced: failing.is_none(),
            healthy: true,
            reconciled: now / 1000 - 30,
            requested: None,
            image: if failing.is_some() { git[0] } else { git[1] },
            operation: failing,
            comparison: None,
            known_tip: 1,
            compare_at: None,
            resync_at,
            heals: 0,
            rolled_out_at: now,
            git,
        }
    }

    /// The last commit that is pushed by now.
    fn tip(&self) -> usize {
        if self.now < self.pushed_at { self.ours - 1 } else { self.git.len() - 1 }
    }

    fn truth(&self) -> bool {
        self.image == self.git[self.ours] && self.is_rolled_out()
    }

    fn is_rolled_out(&self) -> bool {
        self.now >= self.rolled_out_at
    }

    fn tick(&mut self) {
        self.now += TICK;
        while let Some(position) = self.outside.iter().position(|(at, _)| *at <= self.now) {
            match self.outside.swap_remove(position).1 {
                Outside::Push(image) => self.git.push(image),
                Outside::Sync(revision) if self.is_idle() => self.request_operation(revision, 0),
                Outside::Refresh if !self.refresh => self.set_refresh(),
                Outside::Sync(_) | Outside::Refresh => {}
            }
        }
        self.tick_operation();
        self.tick_comparison();
    }

    fn set_refresh(&mut self) {
        self.refresh = true;
        self.version += 1;
    }

    fn is_idle(&self) -> bool {
        self.requested.is_none() && self.operation.as_ref().is_none_or(|it| it.phase != "Running")
    }

    /// Asking for an operation clears what is told of the one before.
    fn request_operation(&mut self, revision: usize, heals: u64) {
        self.requested = Some((revision, heals, self.now + self.rng.between(5, 60)));
        self.operation = None;
        self.version += 1;
    }

    fn tick_operation(&mut self) {
        if let (Some((revision, heals, at)), None) = (self.requested, &self.operation)
            && self.now >= at
        {
            let apply = self.rng.between(20, 400);
            let failures = if revision < self.ours && self.rng.chance(40) { 1 } else { 0 };
            self.operation = Some(Operation {
                revision,
                heals,
                failures,
                retries: 0,
                phase: "Running",
                started: self.now,
                finished: None,
                apply_at: Some(self.now + apply),
                end_at: Some(self.now + apply + self.rng.between(10, 600)),
                again_at: None,
            });
            self.version += 1;
        }
        let Some(mut it) = self.operation.take() else { return };
        if it.apply_at.is_some_and(|at| self.now >= at) {
            it.apply_at = None;
            self.apply(self.git[it.revision]);
        }
        if it.end_at.is_some_and(|at| self.now >= at) {
            it.end_at = None;
            it.finished = Some(self.now);
            self.version += 1;
            if it.failures > 0 {
                it.failures -= 1;
                it.retries += 1;
                it.again_at = Some(self.now + self.rng.between(500, 3000));
            } else {
                it.phase = if it.retries > 0 && self.rng.chance(50) { "Failed" } else { "Succeeded" };
                self.requested = None;
                self.compare_soon();
            }
        }
        if it.again_at.is_some_and(|at| self.now >= at) {
            it.again_at = None;
            it.finished = None;
            it.apply_at = Some(self.now + self.rng.between(10, 200));
            it.end_at = it.apply_at.map(|at| at + self.rng.between(10, 300));
            self.version += 1;
        }
        self.operation = Some(it);
    }

    fn apply(&mut self, image: u32) {
        if self.image != image {
            self.image = image;
            self.rolled_out_at = self.now + self.rng.between(100, 6000);
            self.compare_soon();
        }
    }

    fn compare_soon(&mut self) {
        let full = self.rng.chance(50);
        self.compare_at.get_or_insert((self.now + self.rng.between(5, 800), full));
    }

    fn tick_comparison(&mut self) {
        if self.comparison.is_none() {
            self.begin_comparison();
        }
        if self.comparison.as_ref().is_some_and(|it| self.now >= it.write_at) {
            self.write_comparison();
        }
    }

    fn begin_comparison(&mut self) {
        // The rollout's end is a change of what is live, which the controller hears of.
        let news = self.healthy != self.is_rolled_out();
        let due = self.compare_at.filter(|(at, _)| *at <= self.now);
        let resync = self.now >= self.resync_at;
        if !(self.refresh || due.is_some() || resync || (news && self.rng.chance(5))) {
            return;
        }
        if resync {
            self.resync_at = self.now + 20_000;
        }
        if due.is_some() {
            self.compare_at = None;
        }
        if self.refresh || (resync && self.rng.chance(20)) {
            self.known_tip = self.tip();
        }
        let full = self.refresh || resync || due.is_some_and(|it| it.1);
        let revision = if full { self.known_tip } else { self.revision };
        self.comparison = Some(Comparison {
            began: self.now,
            write_at: self.now + self.rng.between(10, 1500),
            refreshing: self.refresh,
            full,
            revision,
            synced: self.image == self.git[revision],
            healthy: self.is_rolled_out(),
        });
    }

    fn write_comparison(&mut self) {
        let Some(it) = self.comparison.take() else { return };
        if !it.synced && self.is_idle() {
            self.heals += 1;
            self.request_operation(it.revision, self.heals);
        } else if !it.synced {
            self.compare_soon();
        }
        (self.revision, self.synced, self.healthy) = (it.revision, it.synced, it.healthy);
        if it.full {
            self.reconciled = it.began / 1000;
        }
        if it.refreshing {
            self.refresh = false;
        }
        self.version += 1;
    }

    fn seen(&self) -> ApplicationSeen {
        ApplicationSeen {
            resource_version: self.version.to_string(),
            refresh: self.refresh.then(|| "normal".to_owned()),
            sync: Some(if self.synced { "Synced" } else { "OutOfSync" }.to_owned()),
            revision: Some(commit(self.revision).to_string()),
            health: Some(if self.healthy { "Healthy" } else { "Progressing" }.to_owned()),
            reconciled_at: Some(at(self.reconciled * 1000)),
            operation_requested: self.requested.is_some() || !self.is_idle(),
            requested_revision: self.requested.map(|(revision, ..)| commit(revision).to_string()),
            operation: self.operation.as_ref().map(|it| OperationSeen {
                phase: it.phase.to_owned(),
                revision: Some(commit(it.revision).to_string()),
                started_at: Some(at(it.started / 1000 * 1000)),
                finished_at: it.finished.map(|it| at(it / 1000 * 1000)),
                retries: it.retries,
                self_heals: it.heals,
                ..OperationSeen::default()
            }),
            automated: true,
            contains_ours: Some(self.revision >= self.ours),
            holds_our_images: Some(self.git[self.revision] == self.git[self.ours]),
            ..ApplicationSeen::default()
        }
    }
}

/// The driver's side: looks, asks, remembers.
struct Driver {
    weakness: Weakness,
    memory: Memory,
    since: Option<Timestamp>,
    /// Whether a request of ours is under way, for the weakness that does not see others.
    asked: bool,
    last: Option<Verdict>,
    gates: [GateSpec; 1],
    images: Vec<ExpectedImage>,
    ours: CommitId,
}

impl Driver {
    fn new(weakness: Weakness) -> Self {
        let application = ApplicationName::parse("app").unwrap();
        Self {
            weakness,
            memory: Memory::default(),
            since: None,
            asked: false,
            last: None,
            gates: [GateSpec::ArgoCd { application, namespace: "argocd".to_owned(), within: Duration::from_secs(3600) }],
            images: vec![ExpectedImage {
                component: ComponentName::parse("web").unwrap(),
                repository: Repository::parse("registry.example/web").unwrap(),
                tag: Some(Tag::parse("new").unwrap()),
                digest: None,
                commit: None,
                workloads: Vec::new(),
            }],
            ours: commit(2),
        }
    }

    fn look(&mut self, world: &mut World) -> Verdict {
        let now = at(world.now);
        let mut app = world.seen();
        match self.weakness {
            Weakness::None => {}
            Weakness::BelievesUnasked => app.refresh = None,
            Weakness::TrustsTheSameSecond => app.reconciled_at = Some(at((world.reconciled + 1) * 1000)),
            Weakness::AsksOverOthers if !self.asked => app.refresh = None,
            Weakness::AsksOverOthers => self.asked = app.refresh.is_some(),
        }
        let mut seen = Sighting::of_ledger(now, State::default(), None);
        seen.applications.insert(ApplicationName::parse("app").unwrap(), Seen::Known(app));
        let since = *self.since.get_or_insert(now);
        let expected = Expected { commit: &self.ours, tip: None, overlay: None, images: &self.images, version: None, since };
        let verdict = judge_all(&self.gates, &expected, &seen, &mut self.memory, now).swap_remove(0);
        if let Verdict::Waiting { ask: Some(ask), .. } = &verdict {
            self.ask(ask, world);
        }
        self.last = Some(verdict.clone());
        verdict
    }

    fn ask(&mut self, ask: &Ask, world: &mut World) {
        let Ask::Refresh { resource_version, .. } = ask;
        let late = world.rng.between(0, 200);
        for _ in 0..late / TICK {
            world.tick();
        }
        let asked = match self.weakness {
            Weakness::BelievesUnasked => Asked::Set { resource_version: "0".to_owned() },
            Weakness::AsksOverOthers => {
                self.asked = true;
                world.set_refresh();
                Asked::Set { resource_version: world.version.to_string() }
            }
            _ if *resource_version == world.version.to_string() => {
                world.set_refresh();
                Asked::Set { resource_version: world.version.to_string() }
            }
            _ => Asked::Lost,
        };
        self.memory.asked(ask, &asked);
    }
}

fn commit(revision: usize) -> CommitId {
    CommitId::parse(&format!("{revision:040x}")).unwrap()
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
}
