//! Applications that cannot bring what the overlay says, however long one waits. Known before anything is pushed.

use crate::model::{ApplicationName, ApplicationSeen, CommitId, RepoPath, Repository};

/// What is wrong with an Application: it applies another folder, stays at one commit, or sets one of our images itself.
pub fn misdirected<'a>(
    name: &ApplicationName,
    app: &ApplicationSeen,
    overlay: Option<&RepoPath>,
    mut images: impl Iterator<Item = &'a Repository>,
) -> Option<String> {
    overlay
        .and_then(|it| follows_another(name, app, it))
        .or_else(|| stays(name, app))
        .or_else(|| images.find_map(|it| overrides(name, app, it)))
}

fn follows_another(name: &ApplicationName, app: &ApplicationSeen, overlay: &RepoPath) -> Option<String> {
    let (_, _, path) = app.source.as_ref()?;
    let path = path.trim_start_matches("./").trim_end_matches('/');
    (path != overlay.as_str())
        .then(|| format!("The Application {name} follows {path}, not {overlay}: the gate names the wrong Application."))
}

fn stays(name: &ApplicationName, app: &ApplicationSeen) -> Option<String> {
    let (_, revision, _) = app.source.as_ref()?;
    let commit = CommitId::parse(revision).ok()?;
    Some(format!(
        "The Application {name} stays at the commit {}, its `targetRevision`: it never sees what is pushed to a branch.",
        commit.short()
    ))
}

/// An image that the Application sets stands in place of the overlay's, whatever is written there.
fn overrides(name: &ApplicationName, app: &ApplicationSeen, image: &Repository) -> Option<String> {
    let it = app.overrides.iter().find(|it| it.split('=').any(|part| bare(part).is_some_and(|it| it == *image)))?;
    Some(format!(
        "The Application {name} sets an image itself, {it} (`kustomize.images` of its source), whatever the overlay says: \
         `argocd app unset {name} --kustomize-image {image}` ends that."
    ))
}

/// The image's name in `name`, `name:tag`, `name@digest` and `name:tag@digest`.
fn bare(text: &str) -> Option<Repository> {
    let text = text.split('@').next()?;
    let name = text.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(text, |(name, _)| name);
    Repository::parse(name).ok()
}
