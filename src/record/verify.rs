//! The verifier: from genesis to tip, everything at once, every finding named.

use std::thread;

use super::check::{Examined, alone, follows};
use super::finding::{Attack, Finding};
use super::key::Trusted;
use super::ledger::{Ledger, read_link};
use super::memory::Head;
use super::record::LedgerId;
use crate::error::{Error, Result};
use crate::io::git::objects::{self, Objects};
use crate::model::CommitId;

/// What verifying showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many records were looked at.
    pub records: u64,
    /// The last one.
    pub head: Option<Place>,
    /// Which ledger it is.
    pub ledger: Option<LedgerId>,
    /// Everything that is wrong, oldest first. Empty means that the ledger is whole.
    pub findings: Vec<Finding>,
}

/// A record that can be pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number and the hash of its payload.
    pub head: Head,
    /// Its commit.
    pub commit: CommitId,
}

impl Report {
    /// Whether there was something to check and nothing is wrong with it.
    pub fn ok(&self) -> bool {
        self.records > 0 && self.findings.is_empty()
    }
}

/// What one stretch of the chain showed.
#[derive(Default)]
struct Stretch {
    findings: Vec<Finding>,
    /// The heads that were looked for, as they were found.
    sought: Vec<Head>,
    first: Option<Examined>,
    last: Option<Examined>,
}

impl Ledger {
    /// Verifies the whole branch. `expected`: a record that has to be in it.
    pub fn verify(&self, expected: Option<Head>) -> Result<Report> {
        let known = self.recall()?;
        let Some(tip) = self.store.fetch(&self.branch.to_ref(), false)? else { return Ok(self.nothing(known)) };
        let folder = self.store.holding(&tip)?;
        let line = Objects::of(&objects::open(&folder)?)?.line(&tip, usize::MAX)?;
        let whole = line.missing.is_none();
        let seqs: Vec<u64> = known.iter().chain(&expected).map(|it| it.seq).collect();
        let read = |commits: &[CommitId], lead: usize, place: usize| -> Result<Stretch> {
            let repository = objects::open(&folder)?;
            let objects = Objects::of(&repository)?;
            let links = commits.iter().map(|it| {
                read_link(&objects, it)?.ok_or_else(|| Error::ledger(format!("The commit {it} vanished from the cache.")))
            });
            stretch(links.map(|it| it.map(|link| alone(&link, &self.trusted))), lead, whole.then_some(place as u64), &seqs)
        };
        let stretches = side_by_side(&line.commits, &read)?;
        let mut report = self.sum_up(stretches, line.commits.len() as u64);
        if let Some(missing) = line.missing {
            let commit = line.commits.first().cloned();
            let what = format!("The history is cut off: the parent {} is not there, as in a shallow clone.", missing.short());
            report.findings.insert(0, Finding { seq: None, commit, kind: Attack::Incomplete, what });
        }
        Ok(report.compared(known, expected, &self.recalled()?))
    }
}
