//! Appending: one record, one commit, one push that says what it expects to replace.

use jiff::Timestamp;

use super::check::{FILE, replay};
use super::envelope::{hex, sha256};
use super::fit::{MAX_RECORD, MEASURES, shorten};
use super::key::Signer;
use super::ledger::{Ledger, Tip};
use super::record::{LedgerId, Prev, Record};
use super::{subject, text, wire};
use crate::error::{Error, Result};
use crate::io::git::objects::Objects;
use crate::io::git::{Expect, FileChange, NewCommit, Person, Pushed};
use crate::io::random;
use crate::model::{Actor, CommitId, Event, RepoPath, State};

/// What came of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// The record stands; this is the tip it made.
    Recorded(Box<Tip>),
    /// Somebody else appended first: nothing was written, look again.
    Lost,
}

/// A record that is ready to be committed.
struct Written {
    record: Record,
    payload: [u8; 32],
    file: Vec<u8>,
}

impl Ledger {
    /// Appends one record with these events on top of a tip. On nothing, the ledger begins with its genesis first, in the same push.
    pub fn append(&self, on: Option<&Tip>, events: &[Event], at: Timestamp, actor: &Actor) -> Result<AppendOutcome> {
        let signer = self.signer.as_ref().ok_or_else(|| {
            Error::config("The ledger cannot be written: no signing key is given.")
                .hint("Name one in the pipeline file: ledger.sign.sshKey.")
        })?;
        let begun = match on {
            Some(tip) => tip.clone(),
            None => self.begin(signer, at, actor)?,
        };
        let events: Vec<Event> = events.iter().filter(|it| **it != Event::Genesis).cloned().collect();
        let tip = match events.is_empty() {
            true if on.is_none() => begun,
            true => return Err(Error::bug("A ledger record without an event was asked for.")),
            false => self.write(signer, &begun, &events, at, actor)?,
        };
        self.push(on, tip)
    }

    /// Makes the genesis in the cache.
    fn begin(&self, signer: &Signer, at: Timestamp, actor: &Actor) -> Result<Tip> {
        self.may_sign(signer, 0)?;
        let record = Record {
            ledger: LedgerId([0; 32]),
            seq: 0,
            prev: None,
            nonce: random::nonce(),
            pipeline: self.pipeline_name()?,
            at: to_milliseconds(at),
            clock: None,
            actor: actor.clone(),
            events: vec![Event::Genesis],
            state: State::default(),
        };
        let key = signer.public().to_bytes().map_err(|_| Error::bug("The ledger's public key cannot be written."))?;
        let subject = subject::of_genesis(&format!("ledger key {}", signer.fingerprint()), &hex(&sha256(&key)));
        let written = seal(record, subject, signer)?.ok_or_else(|| Error::bug("A genesis does not fit into a record."))?;
        self.commit(None, written)
    }

    /// Makes the next record in the cache.
    fn write(&self, signer: &Signer, on: &Tip, events: &[Event], at: Timestamp, actor: &Actor) -> Result<Tip> {
        let now = to_milliseconds(at);
        let prev = Prev { payload: on.payload, commit: on.commit.clone() };
        let seq = on.seq.checked_add(1).ok_or_else(|| Error::ledger("The ledger's last number is the highest there is."))?;
        self.may_sign(signer, seq)?;
        let mut record = Record {
            ledger: on.ledger,
            seq,
            prev: Some(prev),
            nonce: random::nonce(),
            pipeline: self.pipeline_name()?,
            at: now.max(on.at),
            clock: (now < on.at).then_some(now),
            actor: actor.clone(),
            events: Vec::new(),
            state: State::default(),
        };
        for measure in MEASURES {
            let short: Vec<Event> = events.iter().map(|it| shorten(it, measure)).collect();
            record.events = as_written(&short)?;
            record.state =
                replay(&on.state, &record).map_err(|why| Error::bug(format!("A record was asked for that cannot follow: {why}")))?;
            let subject = subject::of(&record.events, on);
            if let Some(written) = seal(record.clone(), subject, signer)? {
                return self.commit(Some(&on.commit), written);
            }
        }
        Err(Error::refused(format!("Record {seq} does not fit into the 64 KiB of a ledger record, however much is left out."))
            .hint("A tag message or the number of images is too large: shorten the message template, or split the pipeline."))
    }

    /// A record that readers refuse would stand in everybody's way.
    fn may_sign(&self, signer: &Signer, seq: u64) -> Result<()> {
        match self.trusted.may_sign(&signer.fingerprint(), seq) {
            true => Ok(()),
            false => Err(Error::config(format!("The ledger's signing key {} is not trusted for record {seq}.", signer.fingerprint()))
                .hint("See ledger.trusted in the pipeline file: its entry names the records it may sign.")),
        }
    }

    fn pipeline_name(&self) -> Result<String> {
        let name = self.pipeline.as_ref().ok_or_else(|| Error::bug("A ledger opened for reading was asked to write."))?;
        Ok(name.to_string())
    }

    fn commit(&self, parent: Option<&CommitId>, written: Written) -> Result<Tip> {
        let Written { record, payload, file } = written;
        let path = RepoPath::parse(FILE).map_err(Error::bug)?;
        // An author proves nothing here; the address can belong to nobody.
        let by = Person { name: "tomoda-release".into(), email: "ledger@tomoda-release.invalid".into(), time: record.at.as_second() };
        let message = text::message(&record, &payload);
        let files = [FileChange { path, bytes: file }];
        let commit = self.store.commit(&NewCommit { parent, files: &files, alone: true, by: &by, message: &message })?;
        let ledger = if record.prev.is_some() { record.ledger } else { LedgerId(payload) };
        Ok(Tip { seq: record.seq, payload, commit, ledger, state: record.state, at: record.at })
    }

    /// Pushes. When the answer is lost, the branch is asked whether the record is there: nothing is ever appended twice.
    fn push(&self, on: Option<&Tip>, tip: Tip) -> Result<AppendOutcome> {
        let expect = on.map_or(Expect::Absent, |it| Expect::At(it.commit.object().clone()));
        let branch = self.branch.to_ref();
        let landed = match self.store.push(tip.commit.object(), &branch, &expect) {
            Ok(Pushed::Landed) => true,
            Ok(Pushed::Lost(_)) => false,
            Ok(Pushed::Refused(why)) => {
                let message = format!("The server refuses records on the branch {}: {why}", self.branch);
                return Err(Error::remote_final(message)
                    .hint("Let the program's account push to this branch; keep forced pushes and deletion forbidden."));
            }
            Err(unknown) => self.stands(&tip).map_err(|_| unknown.while_doing("The ledger was written, or not: the answer was lost"))?,
        };
        if !landed {
            return Ok(AppendOutcome::Lost);
        }
        self.remember(&tip)?;
        Ok(AppendOutcome::Recorded(Box::new(tip)))
    }

    /// Whether our record is the tip, or somebody has already appended to it.
    fn stands(&self, ours: &Tip) -> Result<bool> {
        match self.store.fetch(&self.branch.to_ref(), true)? {
            None => Ok(false),
            Some(commit) if commit == ours.commit => Ok(true),
            Some(commit) if self.believe(&commit)?.seq <= ours.seq => Ok(false),
            // Rare enough to be allowed to cost a whole fetch.
            Some(_) => {
                let Some(commit) = self.store.fetch(&self.branch.to_ref(), false)? else { return Ok(false) };
                let repository = self.repository(&commit)?;
                let line = Objects::of(&repository)?.line(&commit, usize::MAX)?;
                Ok(line.commits.iter().any(|it| it.id == ours.commit))
            }
        }
    }
}

/// The events as a reader will find them: what the format does not keep (nanoseconds) must not be folded either.
fn as_written(events: &[Event]) -> Result<Vec<Event>> {
    let read = events.iter().map(|it| Event::try_from(wire::Event::from(it))).collect::<Result<_, _>>();
    read.map_err(|why: String| Error::bug(format!("An event cannot be written into the ledger: {why}")))
}

/// Signs a record; `None`: it is too large.
fn seal(record: Record, subject: Vec<wire::Subject>, signer: &Signer) -> Result<Option<Written>> {
    let bytes = record.to_payload(subject);
    // Base64 alone takes four bytes for three: what cannot fit need not be signed.
    if bytes.len() > MAX_RECORD / 4 * 3 {
        return Ok(None);
    }
    let file = signer.sign(&bytes)?.to_bytes();
    Ok((file.len() <= MAX_RECORD).then(|| Written { record, payload: sha256(&bytes), file }))
}

fn to_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}
