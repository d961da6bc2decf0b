//! The overlay commit: one file, one commit, pushed onto exactly the tip it was made for.

use super::Provenance;
use crate::error::Result;
use crate::io::git::{Expect, FileChange, NewCommit, Person, Pushed, Store};
use crate::model::{BranchName, CommitId, Outcome, OverlayWrite, Performed, RepoPath};

/// Commits and pushes. Blocks. An error means that nobody knows whether it landed.
pub fn commit(
    store: &Store,
    branch: &BranchName,
    (onto, file, text): (&CommitId, &RepoPath, &str),
    step: &OverlayWrite,
    by: &Person,
    provenance: &Provenance<'_>,
) -> Result<Performed> {
    let files = [FileChange { path: file.clone(), bytes: text.as_bytes().to_vec() }];
    let message = message(step, provenance);
    let commit = store.commit(&NewCommit { parent: Some(onto), files: &files, alone: false, by, message: &message })?;
    let pushed = store.push(commit.object(), &branch.to_ref(), &Expect::At(onto.object().clone()))?;
    Ok(match pushed {
        Pushed::Landed => {
            let reference = format!("{branch}:{file}");
            Performed::Settled(Outcome::Landed { object: Some(commit.object().clone()), reference, adopted: false })
        }
        Pushed::Lost(_) => Performed::Overtaken,
        Pushed::Refused(why) => Performed::Settled(Outcome::Refused { why }),
    })
}

/// `dev: backend dev-1a2b3c4`, or `prod: v1.4.0`, then what moved, then the trailers.
fn message(step: &OverlayWrite, provenance: &Provenance<'_>) -> String {
    let what = match step.version {
        Some(_) => step.moves.first().map_or_else(String::new, |it| it.tag.to_string()),
        None => step.moves.iter().map(|it| format!("{} {}", it.component, it.tag)).collect::<Vec<_>>().join(", "),
    };
    let moves: Vec<_> = step
        .moves
        .iter()
        .map(|it| {
            format!("- {}: {} -> {}{}", it.component, it.from, it.tag, it.digest.as_ref().map_or(String::new(), |it| format!("@{it}")))
        })
        .collect();
    format!("{}: {what}\n\n{}\n\n{}", step.environment, moves.join("\n"), provenance.trailers())
}
