//! The ledger on its branch: where the tip is and what it says.

use std::path::Path;
use std::sync::Arc;

use git2::Repository;
use jiff::Timestamp;

use super::check::{self, Examined, FILE, Link};
use super::finding::Attack;
use super::fit::MAX_RECORD;
use super::key::{Signer, Trusted};
use super::memory::{Head, Memory};
use super::record::LedgerId;
use crate::error::{Error, Result};
use crate::io::git::objects::{self, Objects, StoredCommit};
use crate::io::git::{Remote, Store};
use crate::model::{BranchName, CommitId, LedgerSettings, PipelineName, Secret, State};

/// The last record of the ledger: enough to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its number.
    pub seq: u64,
    /// The SHA-256 of its payload.
    pub payload: [u8; 32],
    /// Its commit.
    pub commit: CommitId,
    /// The ledger it belongs to.
    pub ledger: LedgerId,
    /// What all records up to it add up to.
    pub state: State,
    /// When it was recorded.
    pub at: Timestamp,
}

impl Tip {
    pub(super) fn head(&self) -> Head {
        Head { seq: self.seq, payload: self.payload }
    }
}

/// A ledger: a branch of a repository, the keys that are trusted, and perhaps the key that signs.
pub struct Ledger {
    pub(super) store: Arc<Store>,
    pub(super) branch: BranchName,
    pub(super) trusted: Trusted,
    pub(super) signer: Option<Signer>,
    /// `None`: any pipeline's ledger is welcome, as when a stranger verifies.
    pub(super) pipeline: Option<PipelineName>,
    pub(super) memory: Option<Memory>,
}

impl Ledger {
    /// The ledger of a pipeline. The key is needed for writing only.
    pub fn new(store: Arc<Store>, settings: &LedgerSettings, key: Option<Secret>, pipeline: &PipelineName) -> Result<Self> {
        let reader = Self::of_stranger(store, settings.branch.clone(), &settings.trusted)?;
        let signer = key.as_ref().map(Signer::read).transpose()?;
        if let Some(signer) = signer.as_ref().filter(|it| !reader.trusted.includes(it.public())) {
            let message = format!(
                "The ledger's signing key {} is not among the trusted ones, so nobody would believe its records.",
                signer.fingerprint()
            );
            return Err(Error::config(message).hint("Add its public half to ledger.trusted in the pipeline file."));
        }
        Ok(Self { signer, pipeline: Some(pipeline.clone()), ..reader })
    }

    /// A ledger to be read without its pipeline: a branch and the keys one trusts.
    pub fn of_stranger(store: Arc<Store>, branch: BranchName, trusted: &[(String, String)]) -> Result<Self> {
        Ok(Self { store, branch, trusted: Trusted::read(trusted)?, signer: None, pipeline: None, memory: None })
    }

    /// Remembers below this cache directory how far the ledger had come, so that a shorter or another one is noticed.
    #[must_use]
    pub fn remembering(mut self, root: &Path, remote: &Remote) -> Self {
        self.memory = Some(Memory::of(root, &remote.url, &self.branch));
        self
    }

    /// The last record, once it is signed by a trusted key and has the shape of one. `None`: the ledger has not begun.
    pub fn tip(&self) -> Result<Option<Tip>> {
        let known = self.recall()?;
        match self.store.fetch(&self.branch.to_ref(), true)? {
            Some(commit) => {
                let tip = self.believe(&commit)?;
                self.not_behind(&tip, known)?;
                self.remember(&tip)?;
                Ok(Some(tip))
            }
            None => match known {
                Some(head) => Err(self.truncated(&format!("the branch {} is gone", self.branch), head)),
                None => Ok(None),
            },
        }
    }

    /// Reads the record of a commit in the cache and refuses all that is not as it should be.
    pub(super) fn believe(&self, commit: &CommitId) -> Result<Tip> {
        let repository = objects::open(&self.store.folder_of(commit)?)?;
        let link = read_link(&Objects::of(&repository)?, commit)?
            .ok_or_else(|| Error::ledger(format!("The commit {commit} is not in the cache.")))?;
        let it = check::alone(&link, &self.trusted);
        // The name of a key is a hint that nobody signed: `verify` tells of it, nothing is decided by it.
        let wrong: Vec<_> = it.wrong.iter().filter(|it| it.0 != Attack::KeyIdMismatch).collect();
        match (&it, wrong.first()) {
            (Examined { record: Some(record), payload: Some(payload), .. }, None) => {
                self.is_ours(&record.pipeline)?;
                let (payload, ledger, state) = (*payload, record.ledger, record.state.clone());
                Ok(Tip { seq: record.seq, payload, commit: commit.clone(), ledger, state, at: record.at })
            }
            (_, Some((Attack::NewerFormat, what))) => Err(Error::refused(format!("{}: {what}", self.place(commit)))
                .hint("Install the newer tomoda-release; this one neither reads nor writes this ledger.")),
            (_, _) => {
                let sentences: Vec<&str> = wrong.iter().map(|it| it.1.as_str()).collect();
                Err(Error::ledger(format!("{} cannot be believed: {}", self.place(commit), sentences.join(" ")))
                    .hint("Run `tomoda-release ledger verify`; nothing is written until the branch is as it was signed."))
            }
        }
    }

    fn place(&self, commit: &CommitId) -> String {
        format!("The ledger's last record (branch {}, commit {})", self.branch, commit.short())
    }

    fn is_ours(&self, pipeline: &str) -> Result<()> {
        match &self.pipeline {
            Some(ours) if ours.as_str() != pipeline => {
                Err(Error::ledger(format!("The branch {} holds the ledger of the pipeline {pipeline}, not of {ours}.", self.branch))
                    .hint("Give each pipeline a ledger branch of its own (ledger.branch)."))
            }
            _ => Ok(()),
        }
    }

    /// A ledger only grows. One that is shorter than it was, or another one, has been tampered with.
    fn not_behind(&self, tip: &Tip, known: Option<Head>) -> Result<()> {
        match known {
            Some(head) if tip.seq < head.seq => Err(self.truncated(&format!("its last record is number {}", tip.seq), head)),
            Some(head) if tip.seq == head.seq && tip.payload != head.payload => Err(self.truncated("record and memory differ", head)),
            _ => Ok(()),
        }
    }

    fn truncated(&self, now: &str, head: Head) -> Error {
        let file = self.memory.as_ref().map(|it| it.path().display().to_string()).unwrap_or_default();
        Error::ledger(format!("The ledger lost records: record {} was seen here before, and now {now}.", head.seq))
            .hint(format!("Find out who rewrote the branch {}. If it was meant, remove {file}.", self.branch))
    }

    pub(super) fn recall(&self) -> Result<Option<Head>> {
        self.memory.as_ref().map_or(Ok(None), Memory::recall)
    }

    pub(super) fn remember(&self, tip: &Tip) -> Result<()> {
        self.memory.as_ref().map_or(Ok(()), |it| it.remember(tip.head(), tip.ledger))
    }

    /// Opens the repository that holds this commit.
    pub(super) fn repository(&self, commit: &CommitId) -> Result<Repository> {
        objects::open(&self.store.folder_of(commit)?)
    }
}

/// One commit of the branch as stored; `None`: it is not in the cache.
pub(super) fn read_link(objects: &Objects<'_>, commit: &CommitId) -> Result<Option<Link>> {
    objects.commit(commit)?.map(|it| link(objects, &it)).transpose()
}

/// A commit with the record it holds.
pub(super) fn link(objects: &Objects<'_>, stored: &StoredCommit) -> Result<Link> {
    let entries = objects.tree(&stored.tree)?.unwrap_or_default();
    let bytes = match entries.iter().find(|it| it.name == FILE) {
        Some(it) => objects.blob(&it.object, MAX_RECORD)?,
        None => None,
    };
    let entries = entries.into_iter().map(|it| (it.name, it.mode)).collect();
    let StoredCommit { id, parents, message, .. } = stored.clone();
    Ok(Link { commit: id, parents, message, entries, bytes })
}
