//! THE LOOP: look, decide, act or verify, record. The only file that knows the order.
//!
//! Starting is resuming with nothing recorded. A look that fails, a write whose answer is lost and a race that is lost all
//! end in the same place: look again. What may go wrong in a row has a bound, so that the loop ends.

mod gates;
mod patience;

pub use gates::verify;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::decide::{self, Decision, Goal, Wants};
use crate::error::{Error, Kind, Result};
use crate::model::{Ending, Event, News, Outcome, Performed, Pipeline, Planned, RunId, Sighting, StepKey, Work};
use crate::verify::Memory;
use crate::world::{Appended, World};
use patience::{Patience, Stage};

/// After how long a wait for a gate is explained by what the other gates see.
const LASTING: SignedDuration = SignedDuration::from_secs(10);

/// What a person agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Whatever the plan is.
    Given,
    /// The plan of this hash, and no other.
    To(String),
}

/// Finds out what would be done, and does nothing.
pub async fn plan(world: &mut impl World, pipeline: &Pipeline, goal: &Goal) -> Result<Ending> {
    let mut patience = Patience::default();
    loop {
        match plan_once(world, pipeline, goal).await {
            Err(error) => patience.survive(world, error, Stage::BeforeARun).await?,
            planned => return planned,
        }
    }
}

async fn plan_once(world: &mut impl World, pipeline: &Pipeline, goal: &Goal) -> Result<Ending> {
    let mut seen = world.look(&Wants::default()).await?;
    if let Some(run) = seen.state.open.get(goal.environment()) {
        let hash = decide::plan_hash(&run.plan);
        return Ok(Ending::Planned(Box::new(Planned { plan: run.plan.clone(), hash, open: Some(run.id.clone()) })));
    }
    loop {
        match decide::next(pipeline, goal, &seen)? {
            Decision::Look(wants) => seen = world.look(&wants).await?,
            Decision::Open { plan, .. } => {
                let hash = decide::plan_hash(&plan);
                return Ok(Ending::Planned(Box::new(Planned { plan, hash, open: None })));
            }
            Decision::Nothing(why) | Decision::Wait { why, .. } => return Ok(Ending::Nothing(why)),
            other => return Err(Error::bug(format!("Planning came to {other:?}."))),
        }
    }
}

/// Drives one environment to its goal.
pub async fn drive(world: &mut impl World, pipeline: &Pipeline, goal: &Goal, consent: &Consent) -> Result<Ending> {
    let mut driver = Driver {
        pipeline,
        goal,
        consent,
        stage: Stage::BeforeARun,
        patience: Patience::default(),
        waits: BTreeMap::new(),
        memory: Memory::default(),
    };
    let mut turned = driver.begin(world).await;
    loop {
        turned = match turned {
            Ok(Turn::Go(seen)) => driver.turn(world, *seen).await,
            Ok(Turn::End(ending)) => return Ok(ending),
            Err(error) => {
                driver.patience.survive(world, error, driver.stage).await?;
                driver.begin(world).await
            }
        };
    }
}

/// What one turn of the wheel came to.
enum Turn {
    Go(Box<Sighting>),
    End(Ending),
}

/// What the loop remembers between turns. All of it may be lost in a crash: the ledger has the rest.
struct Driver<'a> {
    pipeline: &'a Pipeline,
    goal: &'a Goal,
    consent: &'a Consent,
    stage: Stage,
    patience: Patience,
    /// Since when something is waited for, and what was said about it last.
    waits: BTreeMap<String, (Timestamp, String)>,
    memory: Memory,
}

impl Driver<'_> {
    /// Looks from scratch. A run that is open is ours to drive before anything is decided about it.
    async fn begin<W: World>(&mut self, world: &mut W) -> Result<Turn> {
        let seen = world.look(&Wants::default()).await?;
        match seen.state.open.get(self.goal.environment()) {
            Some(run) if self.stage == Stage::BeforeARun => {
                self.claim(world).await?;
                world.tell(News::Resumed { run: run.id.clone(), plan: run.plan.clone() });
                Ok(Turn::Go(Box::new(world.look(&Wants::default()).await?)))
            }
            _ => Ok(Turn::Go(Box::new(seen))),
        }
    }

    /// One turn of the wheel.
    async fn turn<W: World>(&mut self, world: &mut W, seen: Sighting) -> Result<Turn> {
        match decide::next(self.pipeline, self.goal, &seen)? {
            Decision::Look(wants) => Ok(Turn::Go(Box::new(world.look(&wants).await?))),
            Decision::Open { run, plan, first } => {
                self.agreed(&plan)?;
                self.claim(world).await?;
                world.tell(News::Opened { run: run.clone(), plan: plan.clone() });
                self.record(world, seen, vec![Event::Opened { run, plan, first }]).await
            }
            Decision::Announce { mut first, step } => {
                let run = self.run(&seen)?;
                first.push(Event::Intended { run, step });
                self.record(world, seen, first).await
            }
            Decision::Act(work) => self.act(world, seen, work).await,
            Decision::Adopt(outcome) => self.settled(world, seen, outcome).await,
            Decision::Judge(wants) => self.judge(world, &seen, wants).await,
            Decision::Complete(proved) => {
                let event = Event::Completed { run: self.run(&seen)?, proved: proved.clone() };
                self.end(world, seen, vec![event], Ok(Ending::Completed(proved))).await
            }
            Decision::Fail(why) => {
                let event = Event::Failed { run: self.run(&seen)?, why: why.clone() };
                self.end(world, seen, vec![event], Err(Error::refused(why))).await
            }
            Decision::Wait { what, why, wants, within, otherwise } => {
                self.hold_on(world, &what, &why, within, &otherwise).await?;
                Ok(Turn::Go(Box::new(world.look(&wants).await?)))
            }
            Decision::Nothing(why) => Ok(Turn::End(Ending::Nothing(why))),
        }
    }

    /// The open run.
    fn run(&self, seen: &Sighting) -> Result<RunId> {
        let open = seen.state.open.get(self.goal.environment());
        open.map(|it| it.id.clone()).ok_or_else(|| Error::bug("A decision about a run was made while none is open."))
    }

    fn agreed(&self, plan: &crate::model::Plan) -> Result<()> {
        match self.consent {
            Consent::To(hash) if *hash != decide::plan_hash(plan) => {
                Err(Error::refused("The plan changed after you agreed to it.").hint("Run the command again and look at the new plan."))
            }
            Consent::To(_) | Consent::Given => Ok(()),
        }
    }

    async fn claim<W: World>(&mut self, world: &mut W) -> Result<()> {
        if self.stage == Stage::BeforeARun {
            world.claim(self.goal.environment()).await?;
            self.stage = Stage::DuringARun;
        }
        Ok(())
    }

    /// Appends a record and goes on from the state it leaves. Nothing is done before this returned.
    async fn record<W: World>(&mut self, world: &mut W, seen: Sighting, events: Vec<Event>) -> Result<Turn> {
        match world.append(&events).await? {
            Appended::Recorded { state, seq } => {
                self.patience.renew();
                Ok(Turn::Go(Box::new(Sighting { state, seq: Some(seq), ..seen })))
            }
            Appended::Lost => self.again(world).await,
        }
    }

    /// Somebody else was first: wait a little, look again.
    async fn again<W: World>(&mut self, world: &mut W) -> Result<Turn> {
        self.patience.overtaken(world).await?;
        Ok(Turn::Go(Box::new(world.look(&Wants::default()).await?)))
    }

    /// Does the announced write, once, as it was made for what was just seen.
    async fn act<W: World>(&mut self, world: &mut W, seen: Sighting, work: Work) -> Result<Turn> {
        world.tell(News::Acting(key(&work)));
        match world.perform(&work).await? {
            Performed::Settled(outcome) => self.settled(world, seen, outcome).await,
            Performed::Overtaken => self.again(world).await,
        }
    }

    /// Records what came of the announced write. What was seen before it is old now.
    async fn settled<W: World>(&mut self, world: &mut W, seen: Sighting, outcome: Outcome) -> Result<Turn> {
        let run = self.run(&seen)?;
        if let Some(step) = seen.state.open.get(self.goal.environment()).and_then(|it| it.intended.as_ref()) {
            world.tell(News::Settled(step.key(), outcome.clone()));
        }
        let old = Sighting::of_ledger(seen.at, seen.state, seen.seq);
        self.record(world, old, vec![Event::Did { run, outcome }]).await
    }

    /// Closes the run.
    async fn end<W: World>(&mut self, world: &mut W, seen: Sighting, events: Vec<Event>, ending: Result<Ending>) -> Result<Turn> {
        match self.record(world, seen, events).await? {
            Turn::Go(next) if !next.state.open.contains_key(self.goal.environment()) => Ok(Turn::End(ending?)),
            other => Ok(other),
        }
    }

    /// Looks at the gates and judges them all on one sighting: only together they say that it works.
    async fn judge<W: World>(&mut self, world: &mut W, before: &Sighting, wants: Wants) -> Result<Turn> {
        let seen = world.look(&wants).await?;
        let open = |it: &Sighting| it.state.open.get(self.goal.environment()).cloned();
        // Somebody else drove on, or what we saw before was old: what to judge has to be decided again.
        if open(&seen) != open(before) {
            return Ok(Turn::Go(Box::new(Sighting::of_ledger(seen.at, seen.state, seen.seq))));
        }
        let (Some(wanted), Some(environment)) = (&wants.gates, self.pipeline.environment(self.goal.environment())) else {
            return Err(Error::bug("The gates were to be judged without saying which."));
        };
        let run = self.run(&seen)?;
        let verdicts = gates::judge(self.pipeline, environment, wanted, &seen, &mut self.memory, world.now());
        gates::ask(world, &verdicts, &mut self.memory).await?;
        match gates::conclude(&environment.gates, verdicts) {
            gates::Conclusion::Ready(evidence) => {
                let titles = environment.gates.iter().map(crate::model::GateSpec::title);
                let passed = titles.zip(evidence).enumerate();
                let passed = passed.map(|(position, (gate, evidence))| Event::Passed { run: run.clone(), position, gate, evidence });
                self.passed(world, seen, passed.collect()).await
            }
            gates::Conclusion::NotYet { waiting, .. } => self.later(world, seen, &waiting).await,
            gates::Conclusion::Failed(why) => {
                let event = Event::Failed { run, why: why.clone() };
                let warnings = seen.state.open.get(self.goal.environment()).map(|it| it.plan.warnings.join(" ")).unwrap_or_default();
                let error = Error::refused(format!("The gate {why}"));
                let error = if warnings.is_empty() { error } else { error.hint(format!("The plan warned: {warnings}")) };
                self.end(world, seen, vec![event], Err(error)).await
            }
            gates::Conclusion::Superseded(by) => {
                let event = Event::Superseded { run: run.clone(), by: by.clone() };
                self.end(world, seen, vec![event], Ok(Ending::Superseded { run, by })).await
            }
        }
    }

    async fn later<W: World>(&mut self, world: &mut W, seen: Sighting, waiting: &[(String, String)]) -> Result<Turn> {
        self.patience.renew();
        let Some(((gate, why), others)) = waiting.split_first() else { return Err(Error::bug("No gate waits, and not all are ready.")) };
        self.mention(world, gate, why);
        // What the other gates see explains a wait that lasts; in a short one it is only noise.
        if self.waits.get(gate).is_some_and(|(since, _)| world.now().duration_since(*since) > LASTING) {
            others.iter().for_each(|(gate, why)| self.mention(world, gate, why));
        }
        // The gates know their own deadlines: one that is late has failed.
        self.hold_on(world, gate, why, Duration::MAX, "").await?;
        Ok(Turn::Go(Box::new(Sighting::of_ledger(seen.at, seen.state, seen.seq))))
    }

    async fn passed<W: World>(&mut self, world: &mut W, seen: Sighting, passed: Vec<Event>) -> Result<Turn> {
        for it in &passed {
            if let Event::Passed { gate, evidence, .. } = it {
                world.tell(News::Passed { gate: gate.clone(), evidence: evidence.clone() });
            }
        }
        self.record(world, seen, passed).await
    }

    /// Waits for something outside, for as long as it may take.
    async fn hold_on<W: World>(&mut self, world: &mut W, what: &str, why: &str, within: Duration, otherwise: &str) -> Result<()> {
        let now = world.now();
        let since = self.waits.get(what).map_or(now, |(since, _)| *since);
        let waited = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        if waited > within {
            return Err(Error::new(Kind::RemoteFinal, otherwise).hint("Run the same command again: it resumes here."));
        }
        self.mention(world, what, why);
        // A little longer each time, as long as nothing is known about how long it takes.
        world.wait((waited / 8).clamp(Duration::from_millis(50), Duration::from_secs(5))).await
    }

    /// Tells what is waited for, unless that was the last thing said about it.
    fn mention<W: World>(&mut self, world: &mut W, what: &str, why: &str) {
        let (_, said) = self.waits.entry(what.to_owned()).or_insert_with(|| (world.now(), String::new()));
        if said != why {
            why.clone_into(said);
            world.tell(News::Waiting { what: what.to_owned(), why: why.to_owned() });
        }
    }
}

/// Which step a piece of work carries out.
fn key(work: &Work) -> StepKey {
    match work {
        Work::CommitFile { .. } => StepKey::WriteOverlay,
        Work::CreateTag { .. } => StepKey::CutTag,
        Work::AdvanceBranch(_) => StepKey::AdvanceBranch,
        Work::CreatePage(_) => StepKey::PublishPage,
    }
}
