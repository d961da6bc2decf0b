//! What a promotion would do: the commit that the environment before it proved, the version, the tag, the images.

use super::bump::{self, PlannedVersion};
use super::equivalence;
use super::pins::pins;
use super::plan_bump::{refuse_hold, run_id};
use super::settle::known;
use super::{AppWants, Decision, Wants, next, version_files};
use crate::error::{Error, Result};
use crate::model::{
    AppSeen, Brief, BriefCommit, CommitId, ComponentName, Environment, ImageMove, NewRelease, Pin, Pipeline, Plan, PlannedTag, Proved,
    ProvedImage, ReleaseCommit, ReleaseFrom, RunKind, Sighting, Source, Tag, TagSeen,
};

/// Decides whether and how an environment that is released to is to move.
pub(super) fn plan(pipeline: &Pipeline, environment: &Environment, seen: &Sighting) -> Result<Decision> {
    let Source::Release(release) = &environment.source else {
        return Err(Error::usage(format!("{} follows tags, it is not released to.", environment.name))
            .hint(format!("Use `bump {}` to move it.", environment.name)));
    };
    refuse_hold(environment, seen)?;
    let proved = proved(release, seen)?;
    let overlays = vec![(environment.name.clone(), None), (release.from.clone(), None)];
    let of_app = AppWants { history: true, ..AppWants::default() };
    let wants = Wants { overlays, app: Some(of_app.clone()), ..Wants::default() };
    let (Some(overlay), Some(before), Some(app)) = (seen.overlays.get(&environment.name), seen.overlays.get(&release.from), &seen.app)
    else {
        return Ok(Decision::Look(wants));
    };
    let Some(from) = pipeline.environment(&release.from) else {
        return Err(Error::bug(format!("There is no environment {}.", release.from)));
    };
    refuse_drift(from, proved, known(before, "the overlay")?)?;
    let app = known(app, "the app repository")?;
    let imaged = imaged(release, proved)?;
    let commit = equivalence::release_commit(app, &imaged)?;
    let sources: Vec<_> = imaged.iter().map(|(component, image)| (component.clone(), image.clone(), commit.clone())).collect();
    let files: Vec<_> = pipeline.app.version_files.iter().map(|it| (commit.clone(), it.clone())).collect();
    let of_app = AppWants { sources, files, ..of_app };
    if !has(app, &of_app) {
        return Ok(Decision::Look(Wants { app: Some(of_app), ..wants }));
    }
    equivalence::prove(app, &imaged, &commit)?;
    let (tag, warnings) = match tag(pipeline, app, &commit)? {
        Tagged::As(tag, warnings) => (*tag, warnings),
        Tagged::Behind(release) => return Ok(Decision::Look(Wants { app: Some(AppWants { release: Some(release), ..of_app }), ..wants })),
    };
    let name = Tag::parse(&tag.name).map_err(|why| Error::config(format!("The release tag cannot be an image tag: {why}")))?;
    let pinned = pins(environment, known(overlay, "the overlay")?)?;
    let moves: Vec<_> =
        pinned.into_iter().map(|it| image_move(it.component, it.repository, it.pin, &name, proved, environment, seen)).collect();
    if tag.exists && is_proved(environment, &tag, &moves, seen) {
        return Ok(Decision::Nothing(format!(
            "{} runs {} and has proved it; {} has proved nothing newer.",
            environment.name, tag.name, release.from
        )));
    }
    Ok(open(pipeline, environment, moves, (tag, warnings), seen))
}

/// What the environment before this one proved last.
fn proved<'a>(release: &ReleaseFrom, seen: &'a Sighting) -> Result<&'a Proved> {
    if let Some(run) = seen.state.open.get(&release.from) {
        return Err(Error::refused(format!("{} is moving: {} is under way there.", release.from, run.id))
            .hint(format!("Let it finish (`bump {}` resumes it), then promote.", release.from)));
    }
    seen.state.proved.get(&release.from).ok_or_else(|| {
        Error::refused(format!("{} has not proved anything yet, so there is nothing to promote.", release.from))
            .hint(format!("Run `bump {}`: it moves the environment to its newest images and passes its gates.", release.from))
    })
}

/// What was proved has to be what the overlay says now; otherwise nobody knows what runs there.
fn refuse_drift(from: &Environment, proved: &Proved, overlay: &crate::model::OverlaySeen) -> Result<()> {
    let drifted: Vec<_> = pins(from, overlay)?
        .into_iter()
        .filter_map(|now| {
            let then = proved.images.iter().find(|it| it.component == *now.component)?;
            let then = Pin::exact(&then.tag, &then.digest);
            (now.pin != then).then(|| format!("{} says {} now, {then} was proved", now.component, now.pin))
        })
        .collect();
    if drifted.is_empty() {
        return Ok(());
    }
    Err(Error::refused(format!("{} has moved on since its gates passed: {}.", from.name, drifted.join("; ")))
        .hint(format!("Run `bump {}` so that what is there now is proved, then promote.", from.name)))
}

/// The proved images with the commits they were built from: all of them, or no release.
fn imaged(release: &ReleaseFrom, proved: &Proved) -> Result<Vec<(ComponentName, CommitId)>> {
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for (component, _) in &release.images {
        match proved.images.iter().find(|it| it.component == *component) {
            Some(ProvedImage { commit: Some(commit), .. }) => found.push((component.clone(), commit.clone())),
            Some(it) => problems.push(format!("Nobody knows which commit {component} {} was built from.", it.tag)),
            None => problems.push(format!("{} has not proved {component}.", release.from)),
        }
    }
    if problems.is_empty() {
        return Ok(found);
    }
    Err(Error::refused(problems.join(" "))
        .hint("A release is cut at the commit that was proved: the tags need their commit in them, as the pattern's group `commit`."))
}

/// Whether the app repository was looked at for all of this.
fn has(app: &AppSeen, wants: &AppWants) -> bool {
    let sources = wants.sources.iter().all(|(component, image, _)| app.sources.contains_key(&(component.clone(), image.clone())));
    sources && wants.files.iter().all(|it| app.files.contains_key(it))
}

/// The tag of a commit.
enum Tagged {
    /// This one, and what a person should know about it.
    As(Box<PlannedTag>, Vec<String>),
    /// It will stand at this release commit, whose id is not known yet.
    Behind(NewRelease),
}

fn tag(pipeline: &Pipeline, app: &AppSeen, onto: &CommitId) -> Result<Tagged> {
    let (name, next) = match bump::plan_version(app, &pipeline.app.tag, pipeline.app.initial, onto)? {
        PlannedVersion::AlreadyTagged { tag: TagSeen { name, version, commit, .. }, warnings } => {
            let (previous, level, release, exists, brief) = (None, None, None, true, Brief::default());
            return Ok(Tagged::As(Box::new(PlannedTag { name, version, previous, level, commit, release, exists, brief }), warnings));
        }
        PlannedVersion::Cut { tag, next } => (tag, next),
    };
    let (version, previous, level) = (next.next, next.previous, next.level);
    let files = version_files::changed(app, onto, &pipeline.app.version_files, previous, version)?;
    let (commit, release) = if files.is_empty() {
        (onto.clone(), None)
    } else {
        let new = NewRelease { tag: name.clone(), onto: onto.clone(), files };
        let Some((_, commit)) = app.release.as_ref().filter(|it| it.0 == new) else { return Ok(Tagged::Behind(new)) };
        let files = new.files.into_iter().map(|it| it.path).collect();
        (commit.clone(), Some(ReleaseCommit { onto: new.onto, files, replaces: previous }))
    };
    let commits = next.commits.into_iter().map(|it| BriefCommit { id: it.id, subject: it.subject, class: it.class.to_string() }).collect();
    let (exists, brief) = (false, Brief { commits, cut: None });
    Ok(Tagged::As(Box::new(PlannedTag { name, version, previous, level, commit, release, exists, brief }), next.warnings))
}

fn image_move(
    component: &ComponentName,
    repository: &crate::model::Repository,
    from: Pin,
    tag: &Tag,
    proved: &Proved,
    environment: &Environment,
    seen: &Sighting,
) -> ImageMove {
    let commit = proved.images.iter().find(|it| it.component == *component).and_then(|it| it.commit.clone());
    // The digest of a version that this environment proved before is known; any other is the builder's to tell.
    let before =
        seen.state.proved.get(&environment.name).and_then(|it| it.images.iter().find(|it| it.component == *component && it.tag == *tag));
    ImageMove {
        component: component.clone(),
        repository: repository.clone(),
        from,
        tag: tag.clone(),
        digest: before.map(|it| it.digest.clone()),
        commit,
    }
}

fn is_proved(environment: &Environment, tag: &PlannedTag, moves: &[ImageMove], seen: &Sighting) -> bool {
    let version = seen.state.proved.get(&environment.name).and_then(|it| it.version);
    version == Some(tag.version) && !moves.iter().any(ImageMove::changes)
}

fn open(
    pipeline: &Pipeline,
    environment: &Environment,
    moves: Vec<ImageMove>,
    (tag, warnings): (PlannedTag, Vec<String>),
    seen: &Sighting,
) -> Decision {
    let gates = environment.gates.iter().map(crate::model::GateSpec::title).collect();
    let plan = Plan { kind: RunKind::Promotion, environment: environment.name.clone(), moves, tag: Some(tag.clone()), gates, warnings };
    let run = run_id(pipeline, &plan, seen.seq);
    let first = (!tag.exists).then(|| next::first_cut(run.clone(), &tag, seen.at.as_second()));
    Decision::Open { run, plan, first }
}

/// What the tag says: the version and every commit with its class.
pub(super) fn tag_message(tag: &PlannedTag) -> String {
    let since = tag.previous.map_or_else(|| "The first release.".to_owned(), |it| format!("Changes since {it}:"));
    let lines: Vec<_> = tag.brief.commits.iter().rev().map(|it| format!("- {} ({}, {})", it.subject, it.class, it.id.short())).collect();
    format!("{}\n\n{since}\n{}\n", tag.name, lines.join("\n"))
}

/// What the release page says.
pub(super) fn page_body(tag: &PlannedTag) -> String {
    let heading = |class: &str| match class {
        "major" => "Breaking changes",
        "minor" => "Features",
        "patch" => "Fixes and everything else",
        _ => "Also in this release",
    };
    let mut body = String::new();
    for class in ["major", "minor", "patch", "other"] {
        let lines: Vec<_> = tag
            .brief
            .commits
            .iter()
            .rev()
            .filter(|it| it.class == class || (class == "other" && !["major", "minor", "patch"].contains(&it.class.as_str())))
            .map(|it| format!("- {} ({})", it.subject, it.id.short()))
            .collect();
        if !lines.is_empty() {
            body.push_str(&format!("### {}\n\n{}\n\n", heading(class), lines.join("\n")));
        }
    }
    if body.is_empty() { format!("Release {}.\n", tag.name) } else { body }
}
