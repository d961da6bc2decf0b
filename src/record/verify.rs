//! The verifier: from genesis to tip, everything at once, every finding named.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::check::{Examined, alone, follows};
use super::finding::{Attack, Finding};
use super::ledger::{Ledger, link};
use super::memory::Head;
use super::record::LedgerId;
use crate::error::{Error, Result};
use crate::io::git::objects::{self, Objects, StoredCommit};
use crate::model::CommitId;

/// What verifying showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

    fn add(&mut self, kind: Attack, what: String) {
        let commit = self.head.as_ref().map(|it| it.commit.clone());
        self.findings.push(Finding { seq: self.head.as_ref().map(|it| it.head.seq), commit, kind, what });
    }
}

/// What one stretch of the chain showed.
struct Stretch {
    findings: Vec<Finding>,
    /// Where the records stand whose numbers were asked for.
    sought: Vec<Head>,
    last: Option<Examined>,
}

impl Ledger {
    /// Verifies the whole branch. `expected`: a record that has to be in it.
    pub fn verify(&self, expected: Option<Head>) -> Result<Report> {
        let known = self.recall()?;
        let heads: Vec<(Head, &str)> =
            known.iter().map(|it| (*it, "was seen here before")).chain(expected.iter().map(|it| (*it, "is expected"))).collect();
        if self.store.is_of_shallow_clone() {
            let mut report = Report::default();
            report.add(Attack::Incomplete, "The repository is a shallow clone: its history is cut off, so it proves nothing.".to_owned());
            return Ok(report);
        }
        let Some(tip) = self.store.fetch(&self.branch.to_ref(), false)? else { return Ok(self.nothing(&heads)) };
        let folder = self.store.folder_of(&tip)?;
        let line = Objects::of(&objects::open(&folder)?)?.line(&tip, usize::MAX)?;
        let seqs: Vec<u64> = heads.iter().map(|it| it.0.seq).collect();
        let stretches = side_by_side(line.commits.len(), |from, to| self.stretch(&folder, &line.commits, (from, to), &seqs))?;

        let mut report = sum_up(&stretches, line.commits.len());
        if let Some(missing) = line.missing {
            let what = format!("The history is cut off: the parent {} is not there, as in a shallow clone.", missing.short());
            report
                .findings
                .insert(0, Finding { seq: None, commit: line.commits.first().map(|it| it.id.clone()), kind: Attack::Incomplete, what });
        }
        self.belongs(&mut report, &stretches);
        let sought: Vec<Head> = stretches.iter().flat_map(|it| it.sought.iter().copied()).collect();
        for (head, why) in heads {
            compare(&mut report, head, why, &sought);
        }
        if let (true, Some(memory), Some(place), Some(ledger)) = (report.ok(), &self.memory, &report.head, report.ledger) {
            memory.remember(place.head, ledger)?;
        }
        Ok(report)
    }

    /// No branch, or nothing on it: whatever one wanted to hear, it is not that all is well.
    fn nothing(&self, heads: &[(Head, &str)]) -> Report {
        let mut report = Report::default();
        report.add(Attack::Missing, format!("There is nothing to verify: the branch {} does not exist.", self.branch));
        for (head, why) in heads {
            report.add(Attack::Truncated, format!("Record {} {why}, and the whole ledger is gone.", head.seq));
        }
        report
    }

    /// Checks the commits `from..to`, the first of them against the one before it.
    fn stretch(&self, folder: &Path, commits: &[StoredCommit], (from, to): (usize, usize), seqs: &[u64]) -> Result<Stretch> {
        let repository = objects::open(folder)?;
        let objects = Objects::of(&repository)?;
        let examine = |it: &StoredCommit| Ok::<_, Error>(alone(&link(&objects, it)?, &self.trusted));
        let mut last = from.checked_sub(1).map(|at| examine(&commits[at])).transpose()?;
        let (mut findings, mut sought) = (Vec::new(), Vec::new());
        for (place, commit) in (from as u64..).zip(&commits[from..to]) {
            let mut it = examine(commit)?;
            let mut wrong = std::mem::take(&mut it.wrong);
            wrong.extend(last.as_ref().map(|before| follows(before, &it)).unwrap_or_default());
            findings.extend(it.findings(Some(place), wrong));
            sought.extend(it.head().filter(|it| seqs.contains(&it.seq)));
            last = Some(it);
        }
        Ok(Stretch { findings, sought, last })
    }

    fn belongs(&self, report: &mut Report, stretches: &[Stretch]) {
        let record = stretches.last().and_then(|it| it.last.as_ref()).and_then(|it| it.record.as_ref());
        report.ledger = record.map(|it| it.ledger);
        if let (Some(ours), Some(record)) = (&self.pipeline, record)
            && ours.as_str() != record.pipeline
        {
            report.add(Attack::ForeignPipeline, format!("The ledger belongs to the pipeline {}, not to {ours}.", record.pipeline));
        }
    }
}

/// Runs a check over stretches on all processors; what comes out is in order.
fn side_by_side(length: usize, check: impl Fn(usize, usize) -> Result<Stretch> + Sync) -> Result<Vec<Stretch>> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    // Several for each processor: one that is busy with other things takes fewer.
    let size = length.div_ceil(8 * processors).max(500);
    let starts: Vec<usize> = (0..length).step_by(size).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mine = std::iter::from_fn(|| starts.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.map(|from| (*from, check(*from, (from + size).min(length)))).collect::<Vec<_>>()
    };
    let mut stretches = thread::scope(|scope| {
        let threads: Vec<_> = (0..processors.min(starts.len())).map(|_| scope.spawn(work)).collect();
        let done = threads.into_iter().map(|it| it.join().map_err(|_| Error::bug("A thread of the verifier died.")));
        done.collect::<Result<Vec<_>>>().map(|it| it.into_iter().flatten().collect::<Vec<_>>())
    })?;
    stretches.sort_by_key(|it| it.0);
    stretches.into_iter().map(|it| it.1).collect()
}

fn sum_up(stretches: &[Stretch], records: usize) -> Report {
    let last = stretches.last().and_then(|it| it.last.as_ref());
    let head = last.and_then(|it| Some(Place { head: it.head()?, commit: it.commit.clone() }));
    let findings = stretches.iter().flat_map(|it| it.findings.iter().cloned()).collect();
    Report { records: records as u64, head, ledger: None, findings }
}

/// A head that was seen has to be there still.
fn compare(report: &mut Report, head: Head, why: &str, sought: &[Head]) {
    let tip = report.head.as_ref().map(|it| it.head.seq);
    if sought.contains(&head) {
        return;
    }
    match tip {
        Some(tip) if tip < head.seq => {
            report
                .add(Attack::Truncated, format!("Record {} {why}, but the branch ends with record {tip}: its end was cut off.", head.seq));
        }
        _ => report.add(Attack::Rewritten, format!("Record {} {why} with another payload: the ledger was rewritten.", head.seq)),
    }
}
