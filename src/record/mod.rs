//! Memory: the ledger, a signed hash chain on a branch of its own.
//!
//! Here: the format of a record, the keys, appending, and the verifier.
//! Never here: what a release is going to do next; whether an event may follow is the fold's to say (`model/fold.rs`).
//! Start reading at `ledger.rs`, then `append.rs`, `check.rs`, `verify.rs`. Used by the live world and by the `ledger` command.
//!
//! # The format, version 1
//!
//! The ledger is an orphan branch of the config repository. One record is one commit; its one parent is the record before,
//! its tree holds `record.json` and nothing else. Appending and reading the tip therefore cost the same at any length.
//!
//! `record.json` is a DSSE envelope around an in-toto Statement v1 (`payloadType` `application/vnd.in-toto+json`,
//! `predicateType` `https://tomoda.life/release-ledger/v1`), at most 64 KiB. The predicate:
//!
//! | Field | Says |
//! |---|---|
//! | `ledger.id` | `sha256:` and the SHA-256 of the genesis payload; absent in the genesis itself |
//! | `ledger.seq` | the record's number; the genesis is 0 |
//! | `ledger.prev` | `payloadSha256` and `commit` of the record before |
//! | `ledger.nonce` | 128 random bits: a writer whose answer was lost knows its own record again |
//! | `pipeline` | whose ledger this is |
//! | `time.recorded` | RFC 3339, UTC, milliseconds; never before the record before |
//! | `time.clock` | only when the writer's clock was behind that: what it said |
//! | `actor` | `initiator` asked, `executor` carried out |
//! | `events` | what happened, one or several |
//! | `state` | what all events so far add up to, whole: open runs, what is proved, holds |
//!
//! Readers ignore fields they do not know and refuse keys that stand twice, numbers that are not whole, byte order marks and
//! carriage returns: a signed text has one meaning. What a newer program wrote is neither read nor built upon. A list of
//! commits that does not fit keeps its beginning, the number of all and the SHA-256 of all (`brief.whole`).
//!
//! # Signatures
//!
//! `signatures[].sig` is an SSHSIG by an ed25519 key over the DSSE pre-authentication encoding, in the namespace
//! `tomoda-ledger`, base64 without armour. `keyid` is the key's fingerprint and decides nothing: the trusted keys of the pipeline
//! do. An entry may say which records its key signs, `old-bot[0-412]` and `new-bot[413-]`: that is how a key is replaced, or
//! declared stolen from a record on, without disowning what it signed before. A stranger needs `ssh-keygen`, `jq` and an
//! allowed-signers file:
//!
//! ```sh
//! git show release-ledger:record.json > record.json
//! jq -j .payload record.json | base64 -d > payload
//! { printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < payload)"; cat payload; } > signed
//! { echo '-----BEGIN SSH SIGNATURE-----'; jq -r '.signatures[0].sig' record.json | fold -w 70; echo '-----END SSH SIGNATURE-----'; } > sig
//! ssh-keygen -Y verify -f allowed_signers -I release-bot -n tomoda-ledger -s sig < signed
//! ```
//!
//! # What the chain cannot show
//!
//! A prefix of a valid chain is valid, and whoever holds a trusted key can write another chain. Both show only to somebody
//! who remembers: the high-water mark in this computer's cache, `--expect-head`, and the sequence and hash that tags and
//! overlay commits carry.

mod append;
mod check;
mod envelope;
mod finding;
mod fit;
mod key;
mod ledger;
mod memory;
mod read;
#[expect(clippy::module_inception, reason = "a record is what this folder is about")]
mod record;
mod strict;
mod subject;
mod text;
mod verify;
mod wire;

pub use append::AppendOutcome;
pub use envelope::hex;
pub use finding::{Attack, Finding};
pub use key::{NAMESPACE, Signed};
pub use ledger::{Ledger, Tip};
pub use memory::Head;
pub use read::{Entry, Log};
pub use record::{LedgerId, Prev, Record};
pub use verify::{Place, Report};
