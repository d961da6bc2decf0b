//! The life of a run, top to bottom.

use super::settle::{known, settle};
use super::{Decision, GateWants, Goal, Wants, builds, plan_bump, plan_promotion};
use crate::error::{Error, Result};
use crate::model::{
    BranchAdvance, CommitId, Environment, ImageMove, OpenRun, Outcome, OverlayWrite, PageWrite, Pipeline, Proved, ProvedImage, Sighting,
    Step, StepKey, TagCut,
};

/// Decides what to do next. An error ends the command and leaves an open run open.
pub fn next(pipeline: &Pipeline, goal: &Goal, seen: &Sighting) -> Result<Decision> {
    let name = goal.environment();
    let Some(environment) = pipeline.environment(name) else {
        let known: Vec<_> = pipeline.environments.iter().map(|it| it.name.as_str()).collect();
        return Err(Error::usage(format!("The pipeline {} has no environment “{name}”.", pipeline.name))
            .hint(format!("It has: {}.", known.join(", "))));
    };
    match seen.state.open.get(name) {
        Some(run) => carry_on(pipeline, environment, run, seen),
        None => match goal {
            Goal::Bump { wait_for, .. } => plan_bump::plan(pipeline, environment, wait_for.as_ref(), seen),
            Goal::Promote { .. } => plan_promotion::plan(pipeline, environment, seen),
        },
    }
}

/// Starting is resuming with nothing done: one path.
fn carry_on(pipeline: &Pipeline, environment: &Environment, run: &OpenRun, seen: &Sighting) -> Result<Decision> {
    if let Some(step) = &run.intended {
        return settle(pipeline, run, step, seen);
    }
    // A refused tag or overlay ends the run.
    if let Some(why) = run.done.iter().filter(|it| !it.step.key().may_be_refused()).find_map(|it| match &it.outcome {
        Outcome::Refused { why } => Some(why),
        Outcome::Landed { .. } => None,
    }) {
        return Ok(Decision::Fail(why.clone()));
    }
    if let Some(step) = cut(run).or_else(|| advance(run)) {
        return Ok(Decision::Announce { first: Vec::new(), step });
    }
    if writes(run) && run.outcome(StepKey::WriteOverlay).is_none() {
        return match run.plan.tag {
            Some(_) => builds::decide(pipeline, environment, run, seen),
            None => Ok(Decision::Announce { first: Vec::new(), step: write(environment, run, run.plan.moves.clone()) }),
        };
    }
    let commit = match live_commit(run, environment, seen)? {
        Live::Commit(commit) => commit,
        Live::Look(wants) => return Ok(Decision::Look(*wants)),
    };
    let images = moved(run);
    if run.passed.len() < run.plan.gates.len() {
        let gates = GateWants { environment: environment.name.clone(), commit, images };
        return Ok(Decision::Judge(Wants { gates: Some(gates), ..Wants::default() }));
    }
    if let Some(step) = page(pipeline, run) {
        return Ok(Decision::Announce { first: Vec::new(), step });
    }
    Ok(Decision::Complete(proved(run, commit, seen.at)))
}

/// The tag that is still to be cut.
fn cut(run: &OpenRun) -> Option<Step> {
    let tag = run.plan.tag.as_ref().filter(|it| !it.exists)?;
    run.outcome(StepKey::CutTag).is_none().then(|| first_cut(run.id.clone(), tag, run.opened.as_second()))
}

/// The step that cuts a planned tag.
pub(super) fn first_cut(run: crate::model::RunId, tag: &crate::model::PlannedTag, time: i64) -> Step {
    let message = super::plan_promotion::tag_message(tag);
    let (name, commit, release) = (tag.name.clone(), tag.commit.clone(), tag.release.clone());
    Step::CutTag(TagCut { run, name, version: tag.version, commit, release, message, time })
}

/// The branch's move to the release commit that the tag brought, which is still to be done.
fn advance(run: &OpenRun) -> Option<Step> {
    let tag = run.plan.tag.as_ref().filter(|_| run.outcome(StepKey::AdvanceBranch).is_none())?;
    let release = tag.release.as_ref()?;
    let (run, commit, onto) = (run.id.clone(), tag.commit.clone(), release.onto.clone());
    Some(Step::AdvanceBranch(BranchAdvance { run, tag: tag.name.clone(), commit, onto }))
}

/// Whether the run writes the overlay at all.
fn writes(run: &OpenRun) -> bool {
    run.plan.moves.iter().any(ImageMove::changes)
}

/// The write of these moves, without those that change nothing.
pub(super) fn write(environment: &Environment, run: &OpenRun, moves: Vec<ImageMove>) -> Step {
    Step::WriteOverlay(OverlayWrite {
        run: run.id.clone(),
        environment: environment.name.clone(),
        overlay: environment.overlay.clone(),
        moves: moves.into_iter().filter(ImageMove::changes).collect(),
        version: run.plan.tag.as_ref().map(|it| it.version),
    })
}

enum Live {
    Commit(CommitId),
    Look(Box<Wants>),
}

/// The commit of the config repository that has to be live: the one we wrote, or, when there was nothing to write, the tip.
fn live_commit(run: &OpenRun, environment: &Environment, seen: &Sighting) -> Result<Live> {
    if let Some(done) = run.outcome(StepKey::WriteOverlay) {
        return match &done.outcome {
            Outcome::Landed { object: Some(object), .. } => Ok(Live::Commit(CommitId::new(object.clone()))),
            _ => Err(Error::ledger(format!("The ledger says that {} wrote the overlay, but not as which commit.", run.id))),
        };
    }
    match seen.overlays.get(&environment.name) {
        Some(overlay) => Ok(Live::Commit(known(overlay, "the overlay")?.tip.clone())),
        None => Ok(Live::Look(Box::new(Wants { overlays: vec![(environment.name.clone(), None)], ..Wants::default() }))),
    }
}

/// Every image of the run with the digest it has now.
fn moved(run: &OpenRun) -> Vec<ImageMove> {
    let written = run.outcome(StepKey::WriteOverlay).and_then(|it| match &it.step {
        Step::WriteOverlay(write) => Some(&write.moves),
        _ => None,
    });
    let digest = |it: &ImageMove| {
        written.and_then(|moves| moves.iter().find(|that| that.component == it.component)).and_then(|that| that.digest.clone())
    };
    run.plan.moves.iter().map(|it| ImageMove { digest: digest(it).or_else(|| it.digest.clone()), ..it.clone() }).collect()
}

/// The release page that is still to be published.
fn page(pipeline: &Pipeline, run: &OpenRun) -> Option<Step> {
    let (tag, _) = (run.plan.tag.as_ref()?, pipeline.app.github.as_ref()?);
    let body = super::plan_promotion::page_body(tag);
    run.outcome(StepKey::PublishPage).is_none().then(|| Step::PublishPage(PageWrite { run: run.id.clone(), tag: tag.name.clone(), body }))
}

fn proved(run: &OpenRun, commit: CommitId, at: jiff::Timestamp) -> Proved {
    let images = moved(run)
        .into_iter()
        .filter_map(|it| {
            Some(ProvedImage { component: it.component, repository: it.repository, tag: it.tag, digest: it.digest?, commit: it.commit })
        })
        .collect();
    Proved { run: run.id.clone(), at, commit, version: run.plan.tag.as_ref().map(|it| it.version), images }
}
