//! The overlay as the branch holds it, and the newest commit of ours on the branch.

use crate::error::{Error, Result};
use crate::io::git::Store;
use crate::model::{BranchName, CommitId, OverlaySeen, RepoPath, RunId};

/// The trailer by which a commit of this program is recognised.
pub const RUN_TRAILER: &str = "Release-Id";

/// The names kustomize accepts.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// A kustomization larger than this is not one.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// How far back a commit of ours is looked for.
const MAX_BACK: usize = 5_000;

/// Reads an overlay at the branch's tip. Blocks.
pub fn look(store: &Store, branch: &BranchName, overlay: &RepoPath, run: Option<&RunId>) -> Result<OverlaySeen> {
    let tip = tip(store, branch)?;
    let ours = match run {
        Some(run) => ours(store, branch, &tip, run)?,
        None => None,
    };
    let (file, text) = read(store, &tip, overlay)?;
    Ok(OverlaySeen { tip, file, text, ours })
}

/// The branch's tip, brought into the cache.
fn tip(store: &Store, branch: &BranchName) -> Result<CommitId> {
    store.fetch(&branch.to_ref(), true)?.ok_or_else(|| {
        Error::config(format!("{} has no branch “{branch}”.", store.url()))
            .hint("Check `config.branch` in the pipeline; an empty repository needs a first commit.")
    })
}

/// The kustomization of an overlay at a commit in the cache: its path and its text.
pub fn read(store: &Store, commit: &CommitId, overlay: &RepoPath) -> Result<(RepoPath, String)> {
    let place = format!("{overlay} of {} at {}", store.url(), commit.short());
    let Some(names) = store.list_dir(commit, overlay)? else {
        return Err(Error::config(format!("There is no folder {place}.")).hint("Check the environment's `overlay` in the pipeline."));
    };
    let found: Vec<_> = NAMES.into_iter().filter(|name| names.iter().any(|it| it == name)).collect();
    let [name] = found[..] else {
        let what = if found.is_empty() {
            "no kustomization file".to_owned()
        } else {
            format!("several kustomization files ({})", found.join(", "))
        };
        return Err(
            Error::config(format!("There is {what} in {place}.")).hint(format!("kustomize wants exactly one of {}.", NAMES.join(", ")))
        );
    };
    let path = overlay.join(name);
    let file = store.read(commit, &path)?.ok_or_else(|| Error::bug(format!("{path} is listed and cannot be read.")))?;
    if file.mode == 0o120_000 {
        return Err(Error::config(format!("{path} is a symbolic link.")).hint("Name the folder that holds the file itself."));
    }
    if file.bytes.len() > MAX_BYTES {
        return Err(Error::config(format!("{path} is larger than {MAX_BYTES} bytes; that is not a kustomization.")));
    }
    let text = String::from_utf8(file.bytes).map_err(|why| Error::config(format!("{path} is not UTF-8.")).because(why))?;
    Ok((path, text))
}

/// The newest commit that carries the run's id. The tip nearly always tells; only if it does not is the history fetched.
fn ours(store: &Store, branch: &BranchName, tip: &CommitId, run: &RunId) -> Result<Option<CommitId>> {
    let carries =
        |message: &str| message.lines().any(|it| it.strip_prefix(RUN_TRAILER).and_then(|it| it.strip_prefix(": ")) == Some(run.as_str()));
    if store.history(tip, &[], 1)?.first().is_some_and(|it| carries(&it.message)) {
        return Ok(Some(tip.clone()));
    }
    store.fetch(&branch.to_ref(), false)?;
    Ok(store.history(tip, &[], MAX_BACK)?.into_iter().find(|it| carries(&it.message)).map(|it| it.id))
}
