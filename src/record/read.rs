//! Reading records for people: newest first, as they are, with the verdict on each.

use jiff::Timestamp;

use super::check::{Examined, alone};
use super::envelope::{Envelope, hex};
use super::finding::Finding;
use super::key::Signed;
use super::ledger::{Ledger, read_link};
use super::memory::Head;
use super::record::Record;
use crate::error::{Error, Result};
use crate::io::git::objects::Objects;
use crate::model::CommitId;

/// One record as it stands on the branch.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its commit.
    pub commit: CommitId,
    /// The SHA-256 of its payload, where it has one.
    pub payload: Option<[u8; 32]>,
    /// What it says, where it can be read.
    pub record: Option<Record>,
    /// The statement as it was signed, where it is JSON.
    pub statement: Option<serde_json::Value>,
    /// The verdict on each signature.
    pub signed: Vec<Signed>,
    /// What is wrong with it alone.
    pub findings: Vec<Finding>,
}

/// The end of the ledger.
#[derive(Clone, Debug)]
pub struct Log {
    /// The newest records, newest first. Empty: the ledger has not begun, or nothing is as new as was asked for.
    pub entries: Vec<Entry>,
    /// A record that this computer has seen, when the branch ends before it: its end was cut off.
    pub lost: Option<Head>,
}

impl Ledger {
    /// The newest records, at most this many, none from before `since`.
    pub fn newest(&self, at_most: usize, since: Option<Timestamp>) -> Result<Log> {
        let (mut entries, mut last) = (Vec::new(), None);
        self.walk(|entry| {
            last = last.max(entry.record.as_ref().map(|it| it.seq));
            let old = since.is_some_and(|since| entry.record.as_ref().is_some_and(|it| it.at < since));
            if !old && entries.len() < at_most {
                entries.push(entry);
            }
            !old && entries.len() < at_most
        })?;
        let lost = self.recall()?.filter(|it| last < Some(it.seq));
        Ok(Log { entries, lost })
    }

    /// The record of this number, or whose payload hash or commit begins with these hex digits.
    pub fn find(&self, which: &str) -> Result<Option<Entry>> {
        let digits = which.strip_prefix("sha256:").unwrap_or(which);
        let seq: Option<u64> = which.parse().ok();
        let is_hex = digits.len() >= 4 && digits.bytes().all(|it| it.is_ascii_hexdigit());
        if seq.is_none() && !is_hex {
            let message =
                format!("“{which}” is neither a record's number nor at least four hex digits of its payload's hash or its commit.");
            return Err(Error::usage(message));
        }
        let mut found = None;
        self.walk(|entry| {
            let numbered = seq.is_some() && entry.record.as_ref().map(|it| it.seq) == seq;
            let hashed =
                is_hex && (entry.payload.is_some_and(|it| hex(&it).starts_with(digits)) || entry.commit.as_str().starts_with(digits));
            if numbered || (hashed && digits.len() > 6) || (hashed && seq.is_none()) {
                found = Some(entry);
            }
            found.is_none()
        })?;
        Ok(found)
    }

    /// Walks from the tip backwards for as long as it is asked to.
    fn walk(&self, mut visit: impl FnMut(Entry) -> bool) -> Result<()> {
        let Some(tip) = self.store.fetch(&self.branch.to_ref(), false)? else { return Ok(()) };
        let repository = self.repository(&tip)?;
        let objects = Objects::of(&repository)?;
        let mut next = Some(tip);
        while let Some(commit) = next {
            let Some(link) = read_link(&objects, &commit)? else { break };
            let statement = link.bytes.as_deref().and_then(statement);
            let mut it = alone(&link, &self.trusted);
            let wrong = std::mem::take(&mut it.wrong);
            let findings = it.findings(None, wrong);
            let Examined { commit, payload, record, signed, .. } = it;
            if !visit(Entry { commit, payload, record, statement, signed, findings }) {
                break;
            }
            next = link.parents.into_iter().next();
        }
        Ok(())
    }
}

fn statement(file: &[u8]) -> Option<serde_json::Value> {
    serde_json::from_slice(&Envelope::read(file).ok()?.payload().ok()?).ok()
}
