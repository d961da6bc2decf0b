//! The builds of a release: waits for them, and believes them only when builder and registry agree.

use super::next::write;
use super::settle::known;
use super::{BuildWants, Decision, Wants};
use crate::error::{Error, Result};
use crate::model::{
    Build, BuildSeen, BuildStatus, Built, CloudBuild, ComponentName, Digest, Environment, Event, ImageMove, OpenRun, Pipeline, PlannedTag,
    Repository, Seen, Sighting, Source, StepKey, Tag,
};

/// How far one component's image is.
enum Stage {
    Built(Built),
    /// No build has appeared.
    Absent(String),
    /// It is on its way.
    UnderWay(String),
    /// It will not come by waiting.
    Failed(String),
}

/// Decides about the images of a release whose tag is cut.
pub(super) fn decide(pipeline: &Pipeline, environment: &Environment, run: &OpenRun, seen: &Sighting) -> Result<Decision> {
    let (Some(tag), Source::Release(release)) = (&run.plan.tag, &environment.source) else {
        return Err(Error::ledger(format!(
            "The open run {} is a release, but the pipeline {} has none for {}.",
            run.id, pipeline.name, environment.name
        )));
    };
    let Build::CloudBuild(settings) = &release.build;
    let wants = wants(environment, run, tag);
    if run.plan.moves.iter().any(|it| !seen.builds.contains_key(&it.component)) {
        return Ok(Decision::Look(wants));
    }
    let (mut built, mut waiting, mut absent, mut failed) = (Vec::new(), Vec::new(), false, Vec::new());
    for it in &run.plan.moves {
        match stage(it, tag, settings, seen) {
            Stage::Built(it) => built.push(it),
            Stage::UnderWay(why) => waiting.push(why),
            Stage::Failed(why) => failed.push(why),
            Stage::Absent(why) => {
                absent = true;
                waiting.push(why);
            }
        }
    }
    if !failed.is_empty() {
        return Err(Error::refused(format!("The release {} stops: {}", tag.name, failed.join(" ")))
            .hint("Have the build succeed (retry it in Cloud Build), then run `promote` again: it resumes here."));
    }
    if !waiting.is_empty() {
        let within = if absent { settings.appears_within } else { settings.finishes_within };
        let why = waiting.join(" ");
        let otherwise = format!("The builds of {} are not there after {} s: {why}", tag.name, within.as_secs());
        return Ok(Decision::Wait { what: format!("builds of {}", tag.name), why, wants, within, otherwise });
    }
    let moves = run.plan.moves.iter().map(|it| with_digest(it, &built)).collect();
    let built = Event::Built { run: run.id.clone(), builds: built };
    Ok(Decision::Announce { first: vec![built], step: write(environment, run, moves) })
}

fn wants(environment: &Environment, run: &OpenRun, tag: &PlannedTag) -> Wants {
    let since = run.outcome(StepKey::CutTag).map(|_| run.opened);
    Wants {
        builds: Some(BuildWants { environment: environment.name.clone(), tag: tag.name.clone(), since }),
        digests: run.plan.moves.iter().map(|it| (it.repository.clone(), it.tag.clone())).collect(),
        ..Wants::default()
    }
}

fn with_digest(it: &ImageMove, built: &[Built]) -> ImageMove {
    let digest = built.iter().find(|that| that.component == it.component).map(|it| it.digest.clone());
    ImageMove { digest, ..it.clone() }
}

fn stage(it: &ImageMove, tag: &PlannedTag, settings: &CloudBuild, seen: &Sighting) -> Stage {
    let builds = match &seen.builds[&it.component] {
        Seen::Known(builds) => builds,
        Seen::Unknown(why) => return Stage::UnderWay(format!("The builds of {} cannot be seen: {why}", it.component)),
    };
    // Newest first: a retried build counts, the failed one before it does not.
    let Some(build) = builds.first() else { return Stage::Absent(never_triggered(&it.component, tag, settings)) };
    if build.commit.as_ref().is_some_and(|commit| *commit != tag.commit) {
        let commit = build.commit.as_ref().map_or("", |it| it.short());
        return Stage::Failed(format!(
            "The build {} of {} is of the commit {commit}, not of {}.",
            build.id,
            it.component,
            tag.commit.short()
        ));
    }
    match &build.status {
        BuildStatus::Succeeded => succeeded(it, build, seen),
        BuildStatus::Failed(word) => {
            let detail = build.detail.as_ref().map_or(String::new(), |it| format!(" ({it})"));
            Stage::Failed(format!("The build of {} ended as {word}{detail}. Its log: {}", it.component, build.log_url))
        }
        BuildStatus::Pending => Stage::UnderWay(format!("The build of {} waits for an approval: {}", it.component, build.log_url)),
        BuildStatus::Queued => Stage::UnderWay(format!("The build of {} is queued: {}", it.component, build.log_url)),
        BuildStatus::Working => Stage::UnderWay(format!("The build of {} runs: {}", it.component, build.log_url)),
        BuildStatus::Other(word) => Stage::UnderWay(format!("The build of {} is {word}, a word this program does not know.", it.component)),
    }
}

fn never_triggered(component: &ComponentName, tag: &PlannedTag, settings: &CloudBuild) -> String {
    let trigger = settings.triggers.iter().find(|it| it.0 == *component).map_or("(none)", |it| it.1.as_str());
    format!(
        "No build of {component} for {} has appeared: does the trigger {trigger} in {}/{} match the tag, and is it enabled?",
        tag.name, settings.project, settings.location
    )
}

/// The digest is the build's and the registry's, and they agree.
fn succeeded(it: &ImageMove, build: &BuildSeen, seen: &Sighting) -> Stage {
    let registry = match seen.digests.get(&(it.repository.clone(), it.tag.clone())).map(|it| known(it, "the registry")) {
        Some(Ok(Some(digest))) => digest,
        Some(Ok(None)) => {
            return Stage::UnderWay(format!(
                "The build of {} succeeded; the registry does not show {}:{} yet.",
                it.component, it.repository, it.tag
            ));
        }
        Some(Err(why)) => return Stage::UnderWay(why.to_string()),
        None => return Stage::UnderWay(format!("The registry was not asked for {}.", it.tag)),
    };
    match said(build, &it.repository, &it.tag) {
        Some(digest) if digest != registry => Stage::Failed(format!(
            "The build {} says it pushed {} as {}:{}, but the registry has {}. Somebody moved the tag.",
            build.id,
            digest.short(),
            it.repository,
            it.tag,
            registry.short()
        )),
        _ => Stage::Built(Built {
            component: it.component.clone(),
            id: build.id.clone(),
            log_url: build.log_url.clone(),
            commit: build.commit.clone(),
            digest: registry.clone(),
        }),
    }
}

/// The digest the build says it pushed under this name. Nothing, when its configuration pushes by itself and names no images.
fn said<'a>(build: &'a BuildSeen, repository: &Repository, tag: &Tag) -> Option<&'a Digest> {
    let name = repository.to_string();
    let tagged = format!("{name}:{tag}");
    build.images.iter().find(|it| it.0 == tagged || it.0 == name).map(|it| &it.1)
}
