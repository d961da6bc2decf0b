//! The release commit: the version files on top of what was proved.

use crate::error::Result;
use crate::io::git::{Expect, FileChange, NewCommit, Person, Pushed, Store};
use crate::model::{BranchAdvance, BranchName, CommitId, NewRelease, Outcome, Performed};

/// Makes the release commit in the cache and returns its id, which is the same on every machine. Blocks.
pub fn commit(store: &Store, new: &NewRelease, by: &Person) -> Result<CommitId> {
    let by = Person { time: store.committed_at(&new.onto)?, ..by.clone() };
    let files: Vec<_> = new.files.iter().map(|it| FileChange { path: it.path.clone(), bytes: it.text.clone().into_bytes() }).collect();
    let message = format!("chore(release): {}\n", new.tag);
    store.commit(&NewCommit { parent: Some(&new.onto), files: &files, alone: false, by: &by, message: &message })
}

/// Moves the branch forward to the release commit. Blocks. An error means that nobody knows whether it arrived.
pub fn advance(store: &Store, branch: &BranchName, step: &BranchAdvance) -> Result<Performed> {
    Ok(match store.push(step.commit.object(), &branch.to_ref(), &Expect::At(step.onto.object().clone()))? {
        Pushed::Landed => {
            let (object, reference) = (Some(step.commit.object().clone()), branch.to_string());
            Performed::Settled(Outcome::Landed { object, reference, adopted: false })
        }
        Pushed::Lost(_) => Performed::Overtaken,
        Pushed::Refused(why) => {
            let tag = &step.tag;
            let why = format!("{why} The release commit stays behind the tag {tag} and is not on {branch}.");
            Performed::Settled(Outcome::Refused { why })
        }
    })
}
