//! Findings: what is wrong with a ledger, where, and which attack looks like that.

use std::fmt;

use crate::model::CommitId;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The record's number, as it says itself or, where it cannot be read, by its place in the chain.
    pub seq: Option<u64>,
    /// Its commit.
    pub commit: Option<CommitId>,
    /// Which attack, or accident, looks like this.
    pub kind: Attack,
    /// What is wrong, as a sentence.
    pub what: String,
}

macro_rules! attacks {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// The attacks and accidents that `ledger verify` tells apart. The words are for programs and never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Attack {
            $($(#[$doc])* $name,)*
        }

        impl Attack {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }

        impl fmt::Display for Attack {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $word,)* })
            }
        }
    };
}

attacks! {
    /// There is no branch, or nothing on it: an empty ledger never passes.
    Missing = "missing",
    /// The history is cut off: a shallow or partial clone.
    Incomplete = "incomplete",
    /// The record file is absent, too large, not JSON, or ambiguous.
    Malformed = "malformed",
    /// A newer program wrote the record.
    NewerFormat = "newer-format",
    /// The commit holds something beside the record.
    ExtraFiles = "extra-files",
    /// The commit has several parents.
    Merge = "merge",
    /// The envelope's payload type is not in-toto's.
    PayloadType = "payload-type",
    /// Nobody signed the record.
    Unsigned = "unsigned",
    /// A byte of the payload changed after it was signed.
    Altered = "altered",
    /// A key that nobody trusts signed it.
    UntrustedKey = "untrusted-key",
    /// A key signed a record that it may not sign any more, or not yet.
    KeyOutOfRange = "key-out-of-range",
    /// A signature made for another purpose was put there.
    OtherPurpose = "other-purpose",
    /// One key signed twice, as if two people had.
    DuplicateSignature = "duplicate-signature",
    /// The key's name in the envelope is not the key that signed.
    KeyIdMismatch = "keyid-mismatch",
    /// The chain does not begin with a genesis: its beginning was cut off.
    NoGenesis = "no-genesis",
    /// Another genesis in the middle of the chain, or a genesis that says more.
    BadGenesis = "bad-genesis",
    /// Numbers are left out: records were dropped.
    Dropped = "dropped",
    /// Two records have one number.
    DuplicateSeq = "duplicate-seq",
    /// A number is lower than the one before: records were swapped or replayed.
    Swapped = "swapped",
    /// The payload before is not the one this record was signed on top of.
    BrokenChain = "broken-chain",
    /// The git parent is not the commit this record was signed on top of.
    Reparented = "reparented",
    /// The record belongs to another ledger.
    ForeignLedger = "foreign-ledger",
    /// The record belongs to another pipeline.
    ForeignPipeline = "foreign-pipeline",
    /// The time is before that of the record before.
    ClockBackwards = "clock-backwards",
    /// The events cannot follow what came before.
    IllegalEvent = "illegal-event",
    /// The state is not what the events lead to.
    WrongState = "wrong-state",
    /// The commit message says something else than the payload.
    WrongMessage = "wrong-message",
    /// Records that were seen before are gone from the end.
    Truncated = "truncated",
    /// Records that were seen before are other ones now.
    Rewritten = "rewritten",
}

/// A finding before it is known where it belongs.
pub(super) type Wrong = (Attack, String);
