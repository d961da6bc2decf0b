//! Hands: one piece of work, one write, and what the server said.
//!
//! Here: the overlay commit, the release commit, the tag, the release page, the lease.
//! Never here: looking whether it is needed, or trying again: the loop does both.
//! Start reading at `overlay.rs`. Used by `live` only.

pub mod lease;
pub mod overlay;
pub mod page;
pub mod release;
pub mod tag;

use crate::model::RunId;

/// What ties a commit or a tag to the ledger: the run, and the record that announced it.
#[derive(Clone, Debug)]
pub struct Provenance<'a> {
    /// The run.
    pub run: &'a RunId,
    /// The sequence number of the ledger's tip.
    pub seq: u64,
    /// The SHA-256 of the tip's payload, in hex.
    pub payload: &'a str,
}

impl Provenance<'_> {
    /// The trailers of the commit or tag message.
    fn trailers(&self) -> String {
        format!("Release-Id: {}\nLedger-Seq: {}\nLedger-Payload: sha256:{}\n", self.run, self.seq, self.payload)
    }
}
