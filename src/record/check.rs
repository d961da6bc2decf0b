//! The checks: of one commit alone, and of a record with the one before. Pure, so that any sequence can be judged.
//!
//! Each record is checked against the state that the record before claims. By induction over the chain every state is
//! then the one that all events lead to, and the checks of two stretches can run side by side.

use super::envelope::{Envelope, PAYLOAD_TYPE, hex, sha256};
use super::finding::{Attack, Finding, Wrong};
use super::key::{Signed, Trusted};
use super::memory::Head;
use super::record::{Record, Unreadable};
use super::text;
use crate::model::{CommitId, Event, State};

/// The only file a commit of the ledger holds.
pub(super) const FILE: &str = "record.json";

/// One commit of the branch, as stored.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) commit: CommitId,
    pub(super) parents: Vec<CommitId>,
    pub(super) message: String,
    /// Names and modes of everything in its tree.
    pub(super) entries: Vec<(String, u32)>,
    /// The content of [`FILE`], unless it is absent or too large.
    pub(super) bytes: Option<Vec<u8>>,
}

/// What looking at one commit alone shows.
#[derive(Clone, Debug)]
pub(super) struct Examined {
    pub(super) commit: CommitId,
    pub(super) root: bool,
    /// The hash of the payload, where there is one.
    pub(super) payload: Option<[u8; 32]>,
    pub(super) record: Option<Record>,
    pub(super) signed: Vec<Signed>,
    pub(super) wrong: Vec<Wrong>,
}

impl Examined {
    /// What can be pointed at, where the record can be read.
    pub(super) fn head(&self) -> Option<Head> {
        Some(Head { seq: self.record.as_ref()?.seq, payload: self.payload? })
    }

    /// Findings, at home: with the record's number, or else its place.
    pub(super) fn findings(&self, place: Option<u64>, wrong: Vec<Wrong>) -> Vec<Finding> {
        let seq = self.record.as_ref().map(|it| it.seq).or(place);
        wrong.into_iter().map(|(kind, what)| Finding { seq, commit: Some(self.commit.clone()), kind, what }).collect()
    }
}

/// Looks at one commit alone.
pub(super) fn alone(link: &Link, trusted: &Trusted) -> Examined {
    let (commit, root) = (link.commit.clone(), link.parents.is_empty());
    let mut it = Examined { commit, root, payload: None, record: None, signed: Vec::new(), wrong: Vec::new() };
    shape(link, &mut it.wrong);
    let Some(bytes) = &link.bytes else {
        it.wrong.push((Attack::Malformed, format!("The commit has no readable {FILE} of at most 64 KiB.")));
        return it;
    };
    let opened = Envelope::read(bytes).and_then(|envelope| Ok((envelope.payload()?, envelope)));
    match opened {
        Ok((payload, envelope)) => open(&envelope, &payload, link, trusted, &mut it),
        Err(why) => it.wrong.push((Attack::Malformed, format!("{FILE} is not a signed record: {why}."))),
    }
    it
}

/// One parent, one file.
fn shape(link: &Link, wrong: &mut Vec<Wrong>) {
    if link.parents.len() > 1 {
        wrong.push((Attack::Merge, format!("The commit is a merge of {} parents; a ledger is one line.", link.parents.len())));
    }
    let extra: Vec<&str> = link.entries.iter().filter(|it| it.0 != FILE).map(|it| it.0.as_str()).collect();
    if !extra.is_empty() {
        wrong.push((Attack::ExtraFiles, format!("The commit holds more than its record: {}.", extra.join(", "))));
    }
    if let Some((_, mode)) = link.entries.iter().find(|it| it.0 == FILE && it.1 != 0o100_644) {
        wrong.push((Attack::ExtraFiles, format!("{FILE} has the mode {mode:06o}; a record is a plain file (100644).")));
    }
}

fn open(envelope: &Envelope, payload: &[u8], link: &Link, trusted: &Trusted, it: &mut Examined) {
    let hash = sha256(payload);
    it.payload = Some(hash);
    if envelope.payload_type != PAYLOAD_TYPE {
        it.wrong.push((Attack::PayloadType, format!("The payload type is “{}” instead of “{PAYLOAD_TYPE}”.", envelope.payload_type)));
    }
    signatures(envelope, payload, trusted, it);
    match Record::read(payload) {
        Ok(record) => {
            genesis(&record, it.root, &mut it.wrong);
            in_range(record.seq, trusted, it);
            if let Some(why) = text::difference(&link.message, &record, &hash) {
                it.wrong.push((Attack::WrongMessage, format!("The commit message differs from the record: {why}.")));
            }
            it.record = Some(record);
        }
        Err(Unreadable::Newer(why)) => it.wrong.push((Attack::NewerFormat, format!("A newer program wrote the record: {why}."))),
        Err(Unreadable::Malformed(why)) => it.wrong.push((Attack::Malformed, format!("The payload is not a record: {why}."))),
    }
}

/// One trusted key that signed is enough; every signature that lies is named all the same.
fn signatures(envelope: &Envelope, payload: &[u8], trusted: &Trusted, it: &mut Examined) {
    if envelope.signatures.is_empty() {
        it.wrong.push((Attack::Unsigned, "Nobody signed the record.".to_owned()));
    }
    // A handful of people may sign one record; more is an attempt to keep the reader busy.
    for signature in envelope.signatures.iter().take(16) {
        let signed = trusted.judge(signature, &envelope.payload_type, payload);
        if let Some(wrong) = lie(&signed) {
            it.wrong.push(wrong);
        }
        if let Some(key) = signed.fingerprint() {
            if it.signed.iter().any(|other| other.fingerprint() == Some(key)) {
                it.wrong.push((Attack::DuplicateSignature, format!("The key {key} signed twice; it counts once.")));
            }
            if !signature.keyid.is_empty() && signature.keyid != key {
                let said: String = signature.keyid.chars().take(80).collect();
                it.wrong.push((Attack::KeyIdMismatch, format!("The envelope names the key {said}, but {key} signed.")));
            }
        }
        it.signed.push(signed);
    }
    let believed = it.signed.iter().any(|it| matches!(it, Signed::By { .. }));
    let explained = it
        .wrong
        .iter()
        .any(|it| matches!(it.0, Attack::Unsigned | Attack::Altered | Attack::UntrustedKey | Attack::OtherPurpose | Attack::Malformed));
    if !believed && !explained {
        it.wrong.push((Attack::UntrustedKey, "No trusted key signed the record.".to_owned()));
    }
}

/// A key that was replaced goes on vouching for the records of its time, and for no others.
fn in_range(seq: u64, trusted: &Trusted, it: &mut Examined) {
    for signed in &it.signed {
        if let Signed::By { principal, fingerprint } = signed
            && !trusted.may_sign(fingerprint, seq)
        {
            it.wrong.push((Attack::KeyOutOfRange, format!("“{principal}” is not trusted for record {seq} (key {fingerprint}).")));
        }
    }
}

fn lie(signed: &Signed) -> Option<Wrong> {
    Some(match signed {
        Signed::By { .. } => return None,
        Signed::Altered { principal, fingerprint } => {
            (Attack::Altered, format!("The record was altered after “{principal}” signed it (key {fingerprint})."))
        }
        Signed::Untrusted { fingerprint, genuine: true } => {
            (Attack::UntrustedKey, format!("The record is signed by the key {fingerprint}, which the pipeline does not trust."))
        }
        Signed::Untrusted { fingerprint, genuine: false } => (
            Attack::UntrustedKey,
            format!("A signature names the key {fingerprint}, which the pipeline does not trust and which did not sign this."),
        ),
        Signed::OtherPurpose { fingerprint, namespace } => {
            let namespace: String = namespace.chars().take(80).collect();
            (Attack::OtherPurpose, format!("The signature of {fingerprint} was made for “{namespace}”, not for a ledger."))
        }
        Signed::Unreadable => (Attack::Altered, "A signature is not an SSH signature.".to_owned()),
    })
}

/// The genesis is number 0, has nothing before it and says nothing but that the ledger begins; nothing else is like that.
fn genesis(record: &Record, root: bool, wrong: &mut Vec<Wrong>) {
    let begins = record.events.contains(&Event::Genesis);
    let whole = record.seq == 0 && record.prev.is_none() && record.events == [Event::Genesis] && record.state == State::default();
    if begins && !whole {
        wrong.push((Attack::BadGenesis, "The record begins a ledger and says more than that.".to_owned()));
    } else if !begins && (record.seq == 0 || record.prev.is_none()) {
        wrong.push((Attack::BadGenesis, "The record has nothing before it and does not begin a ledger.".to_owned()));
    } else if root && !begins {
        wrong.push((Attack::NoGenesis, format!("The branch begins with record {}: what came before was cut off.", record.seq)));
    } else if begins && !root {
        wrong.push((Attack::BadGenesis, "The record begins a ledger in the middle of a branch.".to_owned()));
    }
    if record.events.is_empty() {
        wrong.push((Attack::IllegalEvent, "The record holds no event.".to_owned()));
    }
}

/// Compares a record with the one before it on the branch.
pub(super) fn follows(before: &Examined, it: &Examined) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let Some(record) = &it.record else { return wrong };
    if let Some(prev) = &record.prev {
        if before.payload.is_some_and(|hash| hash != prev.payload) {
            let what = format!("It was signed on top of the payload {}, which is not what stands before it.", &hex(&prev.payload)[..12]);
            wrong.push((Attack::BrokenChain, what));
        }
        if before.commit != prev.commit {
            let what = format!("It was signed on top of commit {}, but its parent is {}.", prev.commit.short(), before.commit.short());
            wrong.push((Attack::Reparented, what));
        }
    }
    let Some(earlier) = &before.record else { return wrong };
    wrong.extend(number(earlier.seq, record.seq));
    if earlier.ledger != record.ledger {
        wrong.push((Attack::ForeignLedger, format!("It belongs to the ledger {}; this one is {}.", record.ledger, earlier.ledger)));
    }
    if earlier.pipeline != record.pipeline {
        wrong.push((Attack::ForeignPipeline, format!("It belongs to the pipeline {}; this one is {}.", record.pipeline, earlier.pipeline)));
    }
    if record.at < earlier.at {
        wrong
            .push((Attack::ClockBackwards, format!("Its time, {:.3}, is before {:.3}, that of the record before.", record.at, earlier.at)));
    }
    match replay(&earlier.state, record) {
        Err(why) => wrong.push((Attack::IllegalEvent, format!("Its events cannot follow: {why}"))),
        Ok(state) if state != record.state => {
            wrong.push((Attack::WrongState, "The state it carries is not what its events lead to.".to_owned()));
        }
        Ok(_) => {}
    }
    wrong
}

fn number(before: u64, it: u64) -> Option<Wrong> {
    let next = before.checked_add(1)?;
    match it {
        _ if it == next => None,
        _ if it == before => Some((Attack::DuplicateSeq, format!("Two records have the number {it}."))),
        _ if it < before => Some((Attack::Swapped, format!("Record {it} stands after record {before}: records were swapped or replayed."))),
        _ if it == next + 1 => Some((Attack::Dropped, format!("Record {next} is missing: it was dropped."))),
        _ => Some((Attack::Dropped, format!("The records {next} to {} are missing: they were dropped.", it - 1))),
    }
}

/// The state that a record's events lead to.
pub(super) fn replay(before: &State, record: &Record) -> Result<State, String> {
    let mut state = before.clone();
    for event in &record.events {
        state = state.after(event, record.at, &record.actor.initiator)?;
    }
    Ok(state)
}
