//! The lease: who drives an environment right now.
//!
//! A courtesy, not the lock: the ledger's compare-and-swap keeps two drivers from doing harm, the lease keeps the second one
//! from starting. It is one ref outside the branches, swapped for a new commit again and again while its holder lives. Nobody
//! compares clocks: a lease that does not change for as long as it lasts, as the onlooker counts it, is dead and is taken over.

use crate::error::{Error, Result};
use crate::io::git::{Expect, FileChange, NewCommit, Person, Pushed, Store};
use crate::model::{EnvName, ObjectId, PipelineName, RefName, RepoPath};

/// The only file of a lease's commit; its content is the holder's name.
const FILE: &str = "holder";

/// A lease as the server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The commit the ref points to: a new one at every sign of life.
    pub object: ObjectId,
    /// Who holds it.
    pub holder: String,
}

/// What came of an attempt to take or renew a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is ours, as this object.
    Ours(ObjectId),
    /// Someone else was first.
    Lost,
    /// The server does not allow such refs; the ledger alone has to keep order.
    Unsupported(String),
}

/// The lease's ref.
pub fn name(pipeline: &PipelineName, environment: &EnvName) -> Result<RefName> {
    RefName::parse(&format!("refs/tomoda-release/lease/{pipeline}/{environment}")).map_err(Error::bug)
}

/// Who holds the lease now. Blocks.
pub fn look(store: &Store, name: &RefName) -> Result<Option<Held>> {
    let Some(commit) = store.fetch(name, true)? else { return Ok(None) };
    let file = RepoPath::parse(FILE).map_err(Error::bug)?;
    let holder =
        store.read(&commit, &file)?.map_or_else(|| "somebody".to_owned(), |it| String::from_utf8_lossy(&it.bytes).trim().to_owned());
    Ok(Some(Held { object: commit.object().clone(), holder }))
}

/// Makes a sign of life in the cache. `nonce` makes every one another one. Blocks.
pub fn sign(store: &Store, by: &Person, holder: &str, nonce: &str) -> Result<ObjectId> {
    let files = [FileChange { path: RepoPath::parse(FILE).map_err(Error::bug)?, bytes: format!("{holder}\n").into_bytes() }];
    let message = format!("lease: {holder}\n\nNonce: {nonce}\n");
    let commit = store.commit(&NewCommit { parent: None, files: &files, alone: true, by, message: &message })?;
    Ok(commit.object().clone())
}

/// Takes the lease, or renews it, with this sign of life. Blocks.
pub fn take(store: &Store, name: &RefName, expect: &Expect, sign: &ObjectId) -> Result<Taken> {
    Ok(match store.swap(sign, name, expect)? {
        Pushed::Landed => Taken::Ours(sign.clone()),
        Pushed::Lost(_) => Taken::Lost,
        Pushed::Refused(why) => Taken::Unsupported(why),
    })
}

/// Gives the lease back, if it is still ours. Blocks.
pub fn release(store: &Store, name: &RefName, ours: &ObjectId) -> Result<()> {
    store.delete(name, ours).map(|_| ())
}
