//! An announced write: was it done, is it still to be done, or did someone else get there first?

use super::overlay::{self, Edit, Field};
use super::pins::pin;
use super::{AppWants, Decision, Wants, version_files};
use crate::error::{Error, Result};
use crate::model::{
    AppSeen, BranchAdvance, CommitId, OpenRun, Outcome, OverlaySeen, OverlayWrite, PageWrite, Pin, Pipeline, RefName, RepoPath, Seen,
    Sighting, Step, TagCut, Work,
};

/// Decides about the write that the run announced.
pub(super) fn settle(pipeline: &Pipeline, run: &OpenRun, step: &Step, seen: &Sighting) -> Result<Decision> {
    match step {
        Step::WriteOverlay(write) => match seen.overlays.get(&write.environment) {
            None => Ok(Decision::Look(Wants { overlays: vec![(write.environment.clone(), Some(run.id.clone()))], ..Wants::default() })),
            Some(overlay) => settle_overlay(write, known(overlay, "the overlay")?),
        },
        Step::CutTag(cut) => match &seen.app {
            None => Ok(Decision::Look(history(files(cut)))),
            Some(app) => settle_tag(pipeline, cut, known(app, "the app repository's tags")?),
        },
        Step::AdvanceBranch(advance) => match &seen.app {
            None => Ok(Decision::Look(history(Vec::new()))),
            Some(app) => Ok(settle_branch(pipeline, advance, known(app, "the app branch")?)),
        },
        Step::PublishPage(page) => match &seen.page {
            None => Ok(Decision::Look(Wants { page: Some(page.tag.clone()), ..Wants::default() })),
            Some(there) => Ok(settle_page(page, known(there, "the release page")?.as_deref())),
        },
    }
}

/// The app repository with its history: another machine may have planned this, and a tag can only be put on a commit that is here.
fn history(files: Vec<(CommitId, RepoPath)>) -> Wants {
    Wants { app: Some(AppWants { history: true, files, ..AppWants::default() }), ..Wants::default() }
}

/// The files that the release commit of a tag changes, as they are before.
fn files(cut: &TagCut) -> Vec<(CommitId, RepoPath)> {
    cut.release.iter().flat_map(|it| it.files.iter().map(|file| (it.onto.clone(), file.clone()))).collect()
}

/// What was seen, or the reason why not as an error of its kind.
pub(super) fn known<'a, T>(seen: &'a Seen<T>, what: &str) -> Result<&'a T> {
    seen.as_result().map_err(|why| Error::new(why.kind, format!("Looking at {what} failed: {why}")))
}

/// The overlay says what we meant, what we expected to replace, or something else.
fn settle_overlay(write: &OverlayWrite, seen: &OverlaySeen) -> Result<Decision> {
    let file = seen.file.as_str();
    let entries = overlay::entries(file, &seen.text)?;
    let mut edits = Vec::new();
    for it in &write.moves {
        let Some(digest) = &it.digest else { return Err(Error::bug(format!("The write of {} has no digest.", it.component))) };
        let (there, target) = (pin(overlay::find(file, &entries, &it.repository.to_string())?), Pin::exact(&it.tag, digest));
        if there == target {
            continue;
        }
        if there != it.from {
            return Ok(Decision::Adopt(match &seen.ours {
                Some(ours) => landed(ours.object().clone(), file, true),
                None => Outcome::Refused {
                    why: format!(
                        "{file} says {there} for {}; {} was expected. Somebody else changed it since the plan was made.",
                        it.component, it.from
                    ),
                },
            }));
        }
        edits.push(Edit {
            image: it.repository.to_string(),
            new_name: Field::Keep,
            new_tag: Field::Set(it.tag.as_str().to_owned()),
            digest: Field::Set(digest.as_str().to_owned()),
            create: false,
        });
    }
    if edits.is_empty() {
        return Ok(Decision::Adopt(landed(seen.ours.as_ref().unwrap_or(&seen.tip).object().clone(), file, true)));
    }
    let text = overlay::edit(file, &seen.text, &edits)?.text;
    Ok(Decision::Act(Work::CommitFile { step: write.clone(), onto: seen.tip.clone(), file: seen.file.clone(), text }))
}

fn landed(object: crate::model::ObjectId, reference: &str, adopted: bool) -> Outcome {
    Outcome::Landed { object: Some(object), reference: reference.to_owned(), adopted }
}

/// A tag is compared by the commit behind it, never by its name alone.
fn settle_tag(pipeline: &Pipeline, cut: &TagCut, app: &AppSeen) -> Result<Decision> {
    Ok(match app.tags.iter().find(|it| it.name == cut.name) {
        None if files(cut).iter().any(|it| !app.files.contains_key(it)) => Decision::Look(history(files(cut))),
        None => {
            let files = match &cut.release {
                Some(it) => version_files::changed(app, &it.onto, &it.files, it.replaces, cut.version)?,
                None => Vec::new(),
            };
            Decision::Act(Work::CreateTag { step: cut.clone(), files })
        }
        Some(tag) if tag.commit == cut.commit && tag.header.as_ref().is_none_or(|it| *it == cut.name) => {
            let reference = RefName::tag(&cut.name).map_or_else(|_| cut.name.clone(), |it| it.to_string());
            Decision::Adopt(landed(tag.object.clone(), &reference, true))
        }
        Some(tag) => Decision::Adopt(Outcome::Refused {
            why: format!(
                "The tag {} exists in {} and points to {}; it was to be cut at {}. A tag is never moved.",
                cut.name,
                pipeline.app.repo,
                tag.commit.short(),
                cut.commit.short()
            ),
        }),
    })
}

/// The branch is where the release commit stands on, has it already, or went its own way: then the commit stays behind its tag.
fn settle_branch(pipeline: &Pipeline, advance: &BranchAdvance, app: &AppSeen) -> Decision {
    let branch = &pipeline.app.branch;
    match app.history.first() {
        Some(tip) if tip.id == advance.onto => Decision::Act(Work::AdvanceBranch(advance.clone())),
        _ if app.history.iter().any(|it| it.id == advance.commit) => {
            Decision::Adopt(landed(advance.commit.object().clone(), branch.as_str(), true))
        }
        tip => Decision::Adopt(Outcome::Refused {
            why: format!(
                "{branch} has moved on to {} since {}: the release commit {} stays behind the tag {} and is not on the branch.",
                tip.map_or("nothing", |it| it.id.short()),
                advance.onto.short(),
                advance.commit.short(),
                advance.tag
            ),
        }),
    }
}

fn settle_page(page: &PageWrite, there: Option<&str>) -> Decision {
    match there {
        None => Decision::Act(Work::CreatePage(page.clone())),
        Some(url) => Decision::Adopt(Outcome::Landed { object: None, reference: url.to_owned(), adopted: true }),
    }
}
