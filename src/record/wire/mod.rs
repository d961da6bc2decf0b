//! The words of a record, version 1: frozen.
//!
//! Here: serde types that mirror the JSON field by field, and nothing else of the program; the conversions to and from
//! `model` stand beside them. A change that alters one byte of `tests/cases/ledger/golden` needs version 2 beside this.
//! Never here: signatures, git, or an opinion about what a record says.
//! Start reading at [`Statement`]. Used by the rest of `record`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod event;
mod plan;
mod state;
mod step;

pub(super) use event::Event;
pub(super) use state::State;

/// What a payload is.
pub(super) const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// What a statement says.
pub(super) const PREDICATE_TYPE: &str = "https://tomoda.life/release-ledger/v1";

/// An in-toto Statement v1.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statement {
    #[serde(rename = "_type")]
    pub(super) kind: String,
    pub(super) subject: Vec<Subject>,
    pub(super) predicate_type: String,
    pub(super) predicate: Predicate,
}

/// What a statement is about: a thing with a digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) digest: BTreeMap<String, String>,
}

/// One record of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Predicate {
    pub(super) ledger: Position,
    pub(super) pipeline: String,
    pub(super) time: Time,
    pub(super) actor: Actor,
    pub(super) events: Vec<Event>,
    pub(super) state: State,
}

/// Where in which ledger a record stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Position {
    /// SHA-256 of the genesis payload. Absent in the genesis, which cannot hold its own hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    pub(super) seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prev: Option<Prev>,
    /// Random: two records are never the same bytes, so a writer knows its own again.
    pub(super) nonce: String,
}

/// The record before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Prev {
    pub(super) payload_sha256: String,
    pub(super) commit: String,
}

/// When a record was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Time {
    pub(super) recorded: String,
    /// What the writer's clock said, where it was behind the record before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) clock: Option<String>,
}

/// Who made it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Actor {
    pub(super) initiator: String,
    pub(super) executor: String,
}

/// A moment as the ledger writes it: RFC 3339, UTC, milliseconds.
pub(super) fn time_text(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}

/// A moment as the ledger writes it, read again.
pub(super) fn time_of(text: &str) -> Result<jiff::Timestamp, String> {
    let shaped = text.len() == "2026-01-01T00:00:00.000Z".len() && text.ends_with('Z');
    let parsed = shaped.then(|| text.parse().ok()).flatten();
    parsed.ok_or_else(|| format!("“{text}” is not a time such as 2026-01-31T12:00:00.000Z."))
}

/// Reads each element, or says what is wrong with the first bad one.
fn all<W, M>(items: Vec<W>) -> Result<Vec<M>, String>
where
    M: TryFrom<W, Error = String>,
{
    items.into_iter().map(M::try_from).collect()
}

/// Reads what is there.
fn maybe<T>(text: Option<String>, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    text.as_deref().map(parse).transpose()
}
