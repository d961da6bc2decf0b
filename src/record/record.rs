//! A record in the program's own words, and the payload it is written as.

use std::fmt;

use jiff::Timestamp;

use super::envelope::{hex, sha256, unhex};
use super::wire;
use crate::model::{Actor, CommitId, Event, State};

/// A ledger's identity: the SHA-256 of its genesis payload.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LedgerId(pub(super) [u8; 32]);

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex(&self.0))
    }
}

impl fmt::Debug for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", &hex(&self.0)[..12])
    }
}

/// The record before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prev {
    /// The SHA-256 of its payload.
    pub payload: [u8; 32],
    /// Its commit.
    pub commit: CommitId,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its ledger. For the genesis this is the hash of the record itself.
    pub ledger: LedgerId,
    /// Its number; the genesis is 0.
    pub seq: u64,
    /// The record before; the genesis has none.
    pub prev: Option<Prev>,
    /// What makes it unlike any other.
    pub nonce: String,
    /// The pipeline whose ledger this is.
    pub pipeline: String,
    /// When it was made. Never before the record before.
    pub at: Timestamp,
    /// What the writer's clock said, where that was earlier than the record before.
    pub clock: Option<Timestamp>,
    /// Who made it.
    pub actor: Actor,
    /// What happened.
    pub events: Vec<Event>,
    /// What all events up to here add up to.
    pub state: State,
}

/// Why a payload is not a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A newer program wrote it.
    Newer(String),
    /// It breaks the format.
    Malformed(String),
}

impl Record {
    /// The payload's bytes.
    pub(super) fn to_payload(&self, subject: Vec<wire::Subject>) -> Vec<u8> {
        let prev = self.prev.as_ref().map(|it| wire::Prev { payload_sha256: hex(&it.payload), commit: it.commit.to_string() });
        let id = self.prev.is_some().then(|| self.ledger.to_string());
        let statement = wire::Statement {
            kind: wire::STATEMENT_TYPE.to_owned(),
            subject,
            predicate_type: wire::PREDICATE_TYPE.to_owned(),
            predicate: wire::Predicate {
                ledger: wire::Position { id, seq: self.seq, prev, nonce: self.nonce.clone() },
                pipeline: self.pipeline.clone(),
                time: wire::Time { recorded: wire::time_text(self.at), clock: self.clock.map(wire::time_text) },
                actor: wire::Actor { initiator: self.actor.initiator.clone(), executor: self.actor.executor.clone() },
                events: self.events.iter().map(wire::Event::from).collect(),
                state: wire::State::from(&self.state),
            },
        };
        serde_json::to_vec(&statement).expect("a statement is text and whole numbers only")
    }

    /// Reads a payload.
    pub(super) fn read(payload: &[u8]) -> Result<Self, Unreadable> {
        let malformed = |why: String| Unreadable::Malformed(why);
        super::strict::check(payload).map_err(malformed)?;
        let statement: wire::Statement = serde_json::from_slice(payload).map_err(|why| of_another_version(payload, &why))?;
        if statement.predicate_type != wire::PREDICATE_TYPE || statement.kind != wire::STATEMENT_TYPE {
            let other = serde::de::Error::custom("it is not a record of a release ledger");
            return Err(of_another_version(payload, &other));
        }
        Self::of(statement.predicate, payload).map_err(malformed)
    }

    fn of(it: wire::Predicate, payload: &[u8]) -> Result<Self, String> {
        let ledger = match it.ledger.id {
            None => LedgerId(sha256(payload)),
            Some(text) => {
                let id = text.strip_prefix("sha256:").and_then(unhex);
                LedgerId(id.ok_or_else(|| format!("“{text}” is not the id of a ledger"))?)
            }
        };
        let prev = it.ledger.prev.map(|it| {
            let payload = unhex(&it.payload_sha256).ok_or_else(|| format!("“{}” is not a SHA-256", it.payload_sha256))?;
            Ok::<_, String>(Prev { payload, commit: CommitId::parse(&it.commit)? })
        });
        Ok(Self {
            ledger,
            seq: it.ledger.seq,
            prev: prev.transpose()?,
            nonce: it.ledger.nonce,
            pipeline: it.pipeline,
            at: wire::time_of(&it.time.recorded)?,
            clock: it.time.clock.as_deref().map(wire::time_of).transpose()?,
            actor: Actor { initiator: it.actor.initiator, executor: it.actor.executor },
            events: it.events.into_iter().map(Event::try_from).collect::<Result<_, _>>()?,
            state: it.state.try_into()?,
        })
    }
}

/// A payload this program cannot read may be a newer program's: then that is the thing to say.
fn of_another_version(payload: &[u8], why: &serde_json::Error) -> Unreadable {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Peek {
        predicate_type: String,
    }
    let stem = wire::PREDICATE_TYPE.trim_end_matches('1');
    let peek: Option<Peek> = serde_json::from_slice(payload).ok();
    match peek.as_ref().and_then(|it| it.predicate_type.strip_prefix(stem)) {
        Some("1") if why.to_string().starts_with("unknown variant") => {
            Unreadable::Newer(format!("it uses a word that version 1 had not yet: {why}"))
        }
        Some(version) if version != "1" => Unreadable::Newer(format!("it is of version {version}, this program knows version 1")),
        _ => Unreadable::Malformed(why.to_string()),
    }
}
