//! The gates' part of the loop: all of them judged on one sighting.

use std::collections::BTreeMap;
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
    /// What each gate says that is not ready; blind when the first of them could not be seen.
    NotYet {
        waiting: Vec<(String, String)>,
        blind: bool,
    },
    Failed(String),
    Superseded(String),
}

/// One gate that failed fails the run; all have to be ready at the same look.
///
/// The gates look at the same thing from several sides: one says that it is late, another knows what a pod complains
/// about. So whatever is not ready is told together.
pub(super) fn conclude(gates: &[GateSpec], verdicts: Vec<Verdict>) -> Conclusion {
    let (mut ready, mut failed, mut waiting, mut blind) = (Vec::new(), Vec::new(), Vec::new(), false);
    for (gate, verdict) in gates.iter().zip(verdicts) {
        match verdict {
            Verdict::Ready(evidence) => ready.push(evidence),
            Verdict::Superseded { by } if failed.is_empty() => return Conclusion::Superseded(by),
            Verdict::Superseded { .. } => {}
            Verdict::Failed { why } => failed.push((gate.title(), why)),
            // That a soak waits for the gates before it is no news.
            _ if matches!(gate, GateSpec::Soak { .. }) && !(waiting.is_empty() && failed.is_empty()) => {}
            // One system that is away blinds several gates: the first of them says it for all.
            Verdict::Unknown { .. } if blind => {}
            Verdict::Unknown { why } => {
                blind = waiting.is_empty();
                waiting.push((gate.title(), why));
            }
            Verdict::Waiting { why, .. } | Verdict::Blocked { why } => waiting.push((gate.title(), why)),
        }
    }
    if !failed.is_empty() {
        let all: Vec<String> = failed.iter().chain(&waiting).map(|(gate, why)| format!("{gate}: {why}")).collect();
        return Conclusion::Failed(all.join(" The gate "));
    }
    if waiting.is_empty() { Conclusion::Ready(ready) } else { Conclusion::NotYet { waiting, blind } }
}

/// Runs an environment's gates now, on what its overlay says, and records nothing. Ends when all are ready or one failed.
pub async fn verify(world: &mut impl World, pipeline: &Pipeline, environment: &Environment) -> Result<Vec<(String, Evidence)>> {
    let mut memory = verify::Memory::default();
    let titles: Vec<_> = environment.gates.iter().map(GateSpec::title).collect();
    let seen = world.look(&Wants { overlays: vec![(environment.name.clone(), None)], ..Wants::default() }).await?;
    let gates = decide::gates_of(environment, &seen)?;
    let wants = Wants { gates: Some(gates.clone()), ..Wants::default() };
    let (mut said, mut blind_since) = (BTreeMap::new(), None);
    loop {
        let seen = world.look(&wants).await?;
        let verdicts = judge(pipeline, environment, &gates, &seen, &mut memory, world.now());
        ask(world, &verdicts, &mut memory).await?;
        match conclude(&environment.gates, verdicts) {
            Conclusion::Ready(evidence) => return Ok(titles.into_iter().zip(evidence).collect()),
            Conclusion::Failed(why) => return Err(Error::refused(format!("The gate {why}"))),
            Conclusion::Superseded(by) => return Err(Error::refused(format!("The overlay changed while its gates were looked at: {by}"))),
            Conclusion::NotYet { waiting, blind } => {
                let since = if blind { *blind_since.get_or_insert(world.now()) } else { world.now() };
                if let (true, Some((gate, why))) = (world.now().duration_since(since) > BLIND, waiting.first()) {
                    return Err(Error::remote(format!("The gate {gate} cannot be judged: {why}")));
                }
                if !blind {
                    blind_since = None;
                }
                for (what, why) in waiting {
                    if said.insert(what.clone(), why.clone()).as_ref() != Some(&why) {
                        world.tell(News::Waiting { what, why });
                    }
                }
                world.wait(Duration::from_millis(500)).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concluded(argocd: Verdict, rollout: Verdict, soak: Verdict) -> Conclusion {
        let within = Duration::from_secs(60);
        let application = crate::model::ApplicationName::parse("web").unwrap();
        let gates = [
            GateSpec::ArgoCd { application, namespace: "argocd".to_owned(), within },
            GateSpec::Rollout { within },
            GateSpec::Soak { period: within },
        ];
        conclude(&gates, vec![argocd, rollout, soak])
    }

    fn waiting(why: &str) -> Verdict {
        Verdict::Waiting { why: why.to_owned(), ask: None }
    }

    #[test]
    fn a_failure_is_told_with_what_the_other_gates_know() {
        let failed = Verdict::Failed { why: "It was not ready within 1 min.".to_owned() };
        let Conclusion::Failed(why) = concluded(failed, waiting("CrashLoopBackOff."), waiting("not begun")) else { panic!() };
        assert_eq!(why, "argocd web: It was not ready within 1 min. The gate rollout: CrashLoopBackOff.");
    }

    #[test]
    fn every_gate_that_waits_is_told_and_a_soak_that_has_not_begun_is_not() {
        let unseen = Verdict::Unknown { why: "403.".to_owned() };
        let Conclusion::NotYet { waiting, blind } = concluded(waiting("Progressing."), unseen.clone(), waiting("not begun")) else {
            panic!()
        };
        let told: Vec<_> = waiting.iter().map(|(gate, why)| format!("{gate}: {why}")).collect();
        assert_eq!((told, blind), (vec!["argocd web: Progressing.".to_owned(), "rollout: 403.".to_owned()], false));
        let Conclusion::NotYet { blind, .. } = concluded(unseen, self::waiting("1 of 2"), self::waiting("not begun")) else { panic!() };
        assert!(blind, "the first of them cannot be seen");
    }
}
