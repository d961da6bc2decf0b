//! Source equivalence: a release is built from what dev proved, component by component, or it is not cut.

use std::collections::BTreeSet;

use super::ancestry::Ancestry;
use crate::error::{Error, Result};
use crate::model::{AppSeen, CommitId, ComponentName, HistoryCommit};

/// How many commits an error lists.
const LISTED: usize = 20;

/// The commit to release: the newest of the commits that the components' dev images were built from.
pub fn release_commit(app: &AppSeen, images: &[(ComponentName, CommitId)]) -> Result<CommitId> {
    let graph = Ancestry::new(&app.history);
    let branch = app.branch.as_ref().map_or("the app branch".to_owned(), |it| format!("the branch {it}"));
    let missing: Vec<_> = images.iter().filter(|it| graph.position(&it.1).is_none()).map(built_from).collect();
    if !missing.is_empty() {
        return Err(Error::refused(format!("Not on {branch}: {}.", missing.join("; ")))
            .hint("A release is cut from the branch. Have dev run images that were built from it."));
    }
    let positions: Vec<usize> = images.iter().filter_map(|it| graph.position(&it.1)).collect();
    match graph.newest_of(&positions)[..] {
        [newest] => Ok(graph.commit(newest).id.clone()),
        [] => Err(Error::bug("A release commit was asked for without any image.")),
        _ => Err(Error::refused(format!(
            "No image in dev was built from a commit that contains all others: {}.",
            images.iter().map(built_from).collect::<Vec<_>>().join("; ")
        ))
        .hint("Have dev run an image that was built after these lines were merged.")),
    }
}

fn built_from((component, commit): &(ComponentName, CommitId)) -> String {
    format!("{component} was built from {}", commit.short())
}

/// Proves that each component's sources at the release commit are those its dev image was built from. All differences at once.
pub fn prove(app: &AppSeen, images: &[(ComponentName, CommitId)], release: &CommitId) -> Result<()> {
    let problems: Vec<String> = images.iter().filter_map(|(component, built)| difference(app, component, built, release)).collect();
    match problems.is_empty() {
        true => Ok(()),
        false => {
            Err(Error::refused(problems.join("\n"))
                .hint("Wait until dev runs images of these commits, or release the commit that dev proved."))
        }
    }
}

/// What stands between a component's image and the release commit; `None` where nothing does.
fn difference(app: &AppSeen, component: &ComponentName, built: &CommitId, release: &CommitId) -> Option<String> {
    if built == release {
        return None;
    }
    let sources = |at: &CommitId| app.sources.get(&(component.clone(), at.clone()));
    match (sources(built), sources(release)) {
        (Some(then), Some(now)) if then.iter().all(Option::is_none) && now.iter().all(Option::is_none) => Some(format!(
            "None of the paths of {component} exists at {} or {}: the pipeline's paths are wrong.",
            built.short(),
            release.short()
        )),
        (Some(then), Some(now)) if then == now => None,
        (Some(_), Some(_)) => Some(unproved(app, component, built, release)),
        _ => Some(format!("The sources of {component} at {} or {} could not be read.", built.short(), release.short())),
    }
}

fn unproved(app: &AppSeen, component: &ComponentName, built: &CommitId, release: &CommitId) -> String {
    let head = format!(
        "The sources of {component} at the release commit {} are not those its dev image was built from ({}).",
        release.short(),
        built.short()
    );
    let ids: BTreeSet<&CommitId> = app.unproved.get(component).into_iter().flatten().collect();
    let commits: Vec<&HistoryCommit> = app.history.iter().filter(|it| ids.contains(&it.id)).collect();
    if commits.is_empty() {
        return head;
    }
    let mut text = format!("{head} Dev never ran:");
    for it in commits.iter().take(LISTED) {
        let subject = it.message.lines().find(|it| !it.trim().is_empty()).unwrap_or("");
        text.push_str(&format!("\n  {} {subject}", it.id.short()));
    }
    if commits.len() > LISTED {
        text.push_str(&format!("\n  and {} more", commits.len() - LISTED));
    }
    text
}
