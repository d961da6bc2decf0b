//! The gates' part of the loop: all of them judged on one sighting.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::decide::{self, GateWants, Wants};
use crate::error::{Error, Remedy, Result};
use crate::model::{Environment, Evidence, GateSpec, ImageMove, News, Pipeline, Sighting, StepKey, Verdict};
use crate::verify;
use crate::world::World;

/// How long a person who asks for a verdict waits for something that cannot be seen.
const BLIND: SignedDuration = SignedDuration::from_secs(5);

/// Judges every gate of an environment on one sighting.
pub(super) fn judge(
    pipeline: &Pipeline,
    environment: &Environment,
    gates: &GateWants,
    seen: &Sighting,
    memory: &mut verify::Memory,
    now: Timestamp,
) -> Vec<Verdict> {
    let images: Vec<_> = gates.images.iter().map(|it| expected_image(pipeline, it)).collect();
    let run = seen.state.open.get(&environment.name);
    let pushed = run.and_then(|it| it.outcome(StepKey::WriteOverlay)).map(|it| it.at);
    let expected = verify::Expected {
        commit: &gates.commit,
        tip: seen.overlays.get(&environment.name).and_then(|it| it.known()).map(|it| &it.tip),
        overlay: Some(&environment.overlay),
        images: &images,
        version: run.and_then(|it| it.plan.tag.as_ref()).map(|it| it.version),
        since: pushed.or_else(|| run.map(|it| it.opened)).unwrap_or(now),
    };
    verify::judge_all(&environment.gates, &expected, seen, memory, now)
}

fn expected_image(pipeline: &Pipeline, it: &ImageMove) -> verify::ExpectedImage {
    verify::ExpectedImage {
        component: it.component.clone(),
        repository: it.repository.clone(),
        tag: Some(it.tag.clone()),
        digest: it.digest.clone(),
        commit: it.commit.clone(),
        workloads: pipeline.component(&it.component).map(|it| it.workloads.clone()).unwrap_or_default(),
    }
}

/// Asks the outside for whatever the verdicts need, and tells the gates' memory what came of it.
pub(super) async fn ask<W: World>(world: &mut W, verdicts: &[Verdict], memory: &mut verify::Memory) -> Result<()> {
    for verdict in verdicts {
        if let Verdict::Waiting { ask: Some(ask), .. } = verdict {
            // A request whose answer was lost is not one that was made: the next look tells, and asks again if need be.
            match world.ask(ask).await {
                Ok(asked) => memory.asked(ask, &asked),
                Err(why) if why.remedy() == Remedy::Retry => {}
                Err(why) => return Err(why),
            }
        }
    }
    Ok(())
}

/// What the verdicts come to together.
pub(super) enum Conclusion {
    Ready(Vec<Evidence>),
    NotYet { gate: String, why: String, blind: bool },
    Failed(String),
    Superseded(String),
}

/// One gate that failed fails the run; all have to be ready at the same look.
pub(super) fn conclude(titles: &[String], verdicts: Vec<Verdict>) -> Conclusion {
    let (mut ready, mut waiting) = (Vec::new(), None);
    for (gate, verdict) in titles.iter().zip(verdicts) {
        match verdict {
            Verdict::Ready(evidence) => ready.push(evidence),
            Verdict::Failed { why } => return Conclusion::Failed(format!("{gate}: {why}")),
            Verdict::Superseded { by } => return Conclusion::Superseded(by),
            Verdict::Unknown { why } => {
                waiting.get_or_insert((gate.clone(), why, true));
            }
            Verdict::Waiting { why, .. } | Verdict::Blocked { why } => {
                waiting.get_or_insert((gate.clone(), why, false));
            }
        }
    }
    match waiting {
        Some((gate, why, blind)) => Conclusion::NotYet { gate, why, blind },
        None => Conclusion::Ready(ready),
    }
}

/// Runs an environment's gates now, on what its overlay says, and records nothing. Ends when all are ready or one failed.
pub async fn verify(world: &mut impl World, pipeline: &Pipeline, environment: &Environment) -> Result<Vec<(String, Evidence)>> {
    let mut memory = verify::Memory::default();
    let titles: Vec<_> = environment.gates.iter().map(GateSpec::title).collect();
    let seen = world.look(&Wants { overlays: vec![(environment.name.clone(), None)], ..Wants::default() }).await?;
    let gates = decide::gates_of(environment, &seen)?;
    let wants = Wants { gates: Some(gates.clone()), ..Wants::default() };
    let (mut said, mut blind_since) = (String::new(), None);
    loop {
        let seen = world.look(&wants).await?;
        let verdicts = judge(pipeline, environment, &gates, &seen, &mut memory, world.now());
        ask(world, &verdicts, &mut memory).await?;
        match conclude(&titles, verdicts) {
            Conclusion::Ready(evidence) => return Ok(titles.into_iter().zip(evidence).collect()),
            Conclusion::Failed(why) => return Err(Error::refused(format!("The gate {why}"))),
            Conclusion::Superseded(by) => return Err(Error::refused(format!("The overlay changed while its gates were looked at: {by}"))),
            Conclusion::NotYet { gate, why, blind } => {
                let since = if blind { *blind_since.get_or_insert(world.now()) } else { world.now() };
                if world.now().duration_since(since) > BLIND {
                    return Err(Error::remote(format!("The gate {gate} cannot be judged: {why}")));
                }
                if !blind {
                    blind_since = None;
                }
                if said != why {
                    said.clone_from(&why);
                    world.tell(News::Waiting { what: gate, why });
                }
                world.wait(Duration::from_millis(500)).await?;
            }
        }
    }
}
