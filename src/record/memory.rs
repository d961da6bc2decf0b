//! What this computer remembers of a ledger: the highest record it has seen. A prefix of a valid chain is a valid chain,
//! so only someone who remembers can tell that its end was cut off.

use std::path::Path;

use super::envelope::{hex, sha256, unhex};
use super::record::LedgerId;
use crate::error::{Error, Result};
use crate::io::watermark::Watermark;
use crate::model::{BranchName, RepoUrl};

/// A record that is known to have been at the tip: remembered, or given with `--expect-head`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub seq: u64,
    /// The SHA-256 of its payload.
    pub payload: [u8; 32],
}

impl Head {
    /// Accepts `SEQ:HASH`, with or without `sha256:` in front of the hash.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (seq, hash) = text.split_once(':').unwrap_or((text, ""));
        let payload = unhex(hash.strip_prefix("sha256:").unwrap_or(hash));
        match (seq.parse(), payload) {
            (Ok(seq), Some(payload)) => Ok(Self { seq, payload }),
            _ => Err(format!("“{text}” is not a head: write SEQ:HASH, a record's number and the 64 hex digits of its payload's SHA-256.")),
        }
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, hex(&self.payload))
    }
}

/// The mark of one ledger, which is known by where it is kept: its own id would change with a rewritten ledger.
#[derive(Clone, Debug)]
pub(super) struct Memory(Watermark);

impl Memory {
    pub(super) fn of(root: &Path, url: &RepoUrl, branch: &BranchName) -> Self {
        let name = hex(&sha256(format!("{url}\n{branch}\n").as_bytes()));
        Self(Watermark::at(root, &format!("ledger-{}", &name[..32])))
    }

    /// The highest record seen.
    pub(super) fn recall(&self) -> Result<Option<Head>> {
        let Some(line) = self.0.read()? else { return Ok(None) };
        let head = Head::parse(line.split(' ').next().unwrap_or_default());
        head.map(Some).map_err(|_| {
            Error::config(format!("The remembered head of the ledger, {}, cannot be understood.", self.0.path().display()))
                .hint("Remove the file if you know why it is damaged; this computer then believes the ledger as it finds it.")
        })
    }

    /// Remembers a record, unless a higher one is known.
    pub(super) fn remember(&self, head: Head, ledger: LedgerId) -> Result<()> {
        match self.recall()? {
            Some(known) if known.seq >= head.seq => Ok(()),
            _ => self.0.write(&format!("{head} {ledger}")),
        }
    }

    /// Where it is kept.
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}
