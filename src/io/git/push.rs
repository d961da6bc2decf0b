//! Pushing one object to one ref, expecting what stands there.
//!
//! The expectation is checked twice: against what the server announces, by us, and when the ref moves, by the server, because
//! the announced id goes out with the update. Nothing is ever forced over what we have not seen.

use std::cell::{Cell, RefCell};

use git2::{ErrorClass, ErrorCode, Oid, PushOptions, RemoteCallbacks};

use crate::error::{Error, Result};
use crate::model::{ObjectId, RefName};

use super::database::{Depth, Handle, object_id, oid, seen};
use super::refusal::{Meaning, in_words, meaning};
use super::session::{Session, Trouble};
use super::store::Store;

/// How much a server may say beside its answer.
const BESIDE_BYTES: usize = 16 * 1024;

/// What a push expects to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The ref must not exist.
    Absent,
    /// The ref must point to exactly this object.
    At(ObjectId),
}

/// What came of a push. An `Err` beside it means that the outcome is not known: look at the ref before trying again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The ref points to our object now (or did before).
    Landed,
    /// Someone else was first: the ref is not where we expected it. What it points to now, where known.
    Lost(Option<ObjectId>),
    /// The server refused for good: a protected branch, a hook, a permission. Its words.
    Refused(String),
}

/// How a ref is to move.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// To a descendant of what stands there.
    Forward,
    /// To anything.
    Anywhere,
}

/// One ref, from where and to where.
struct Update<'a> {
    to: &'a RefName,
    /// What has to stand there; zero for nothing.
    expect: Oid,
    /// What will stand there; zero for nothing.
    wish: Oid,
}

/// What was learnt while a push went on.
#[derive(Default)]
struct Notes {
    /// Where the ref was announced to be, once that was judged.
    announced: Cell<Option<Oid>>,
    /// Whether the announcement was what we expected, so that the update went out.
    sent: Cell<bool>,
    /// What the server answered: `Some(None)` is a yes.
    status: RefCell<Option<Option<String>>>,
    /// What it said beside that.
    beside: RefCell<String>,
}

impl Store {
    pub(super) fn push_object(&self, object: &ObjectId, to: &RefName, expect: &Expect, kind: Move) -> Result<Pushed> {
        let wish = oid(object)?;
        let expect = match expect {
            Expect::Absent => Oid::ZERO_SHA1,
            Expect::At(id) => oid(id)?,
        };
        // Another process may have made the cache anew in the meantime.
        let missing = || {
            let what = format!("The git object {object} is to be pushed and is not in the cache any more.");
            Error::remote(what).hint("Make it anew, on what stands there now.")
        };
        let repository = self.database().holding(wish)?.ok_or_else(missing)?;
        let plus = if kind == Move::Anywhere { "+" } else { "" };
        let update = Update { to, expect, wish };
        let pushed = self.update(&repository, &update, &format!("{plus}{object}:{to}"))?;
        if pushed == Pushed::Landed {
            self.remember(&repository, to, wish);
        }
        Ok(pushed)
    }

    pub(super) fn delete_ref(&self, name: &RefName, expect: &ObjectId) -> Result<Pushed> {
        let repository = self.database().take(Depth::Tips)?;
        let update = Update { to: name, expect: oid(expect)?, wish: Oid::ZERO_SHA1 };
        let pushed = self.update(&repository, &update, &format!(":{name}"))?;
        if pushed == Pushed::Landed {
            self.forget_ref(name)?;
        }
        Ok(pushed)
    }

    fn update(&self, repository: &Handle<'_>, update: &Update<'_>, refspec: &str) -> Result<Pushed> {
        let session = Session::begin(self.remote(), self.network())?;
        let notes = Notes::default();
        let done = session.run(|| {
            let mut options = PushOptions::new();
            options.remote_callbacks(callbacks(update, &notes)).packbuilder_parallelism(1);
            repository.remote_anonymous(&session.address)?.push(&[refspec], Some(&mut options))
        });
        let trouble = match done {
            Ok(()) => return self.judge(update, &notes),
            Err(trouble) => trouble,
        };
        if !notes.sent.get() {
            return not_sent(update, &notes, trouble, &session.address);
        }
        if trouble.failure.is_none() && trouble.git.code() == ErrorCode::NotFastForward {
            let why = match repository.depth() {
                Depth::Full => "what stands there is no ancestor of what was to be pushed",
                Depth::Tips => "the cache holds too little history to show that what stands there is an ancestor of what was to be pushed",
            };
            return Ok(Pushed::Refused(format!("{} is never forced, and {why}", update.to)));
        }
        if trouble.failure.as_ref().is_some_and(|it| it.denied) {
            return Ok(Pushed::Refused(refusal(trouble, &session.address)));
        }
        let error = trouble.into_error(&session.address);
        self.look(update, error)
    }

    /// What the server's answer means.
    fn judge(&self, update: &Update<'_>, notes: &Notes) -> Result<Pushed> {
        let status = notes.status.borrow().clone();
        match status {
            Some(None) => Ok(Pushed::Landed),
            None => self.look(update, Error::remote(format!("The server did not say what became of {}.", update.to))),
            Some(Some(words)) => match meaning(&words, &notes.beside.borrow()) {
                Meaning::Refused(words) => Ok(Pushed::Refused(words)),
                Meaning::Unclear(words) => {
                    self.look(update, Error::remote(format!("The server could not take the push to {}: {words}.", update.to)))
                }
                // Two who push the same object may both hear that they lost.
                Meaning::Lost => Ok(match self.standing(update.to) {
                    Ok(now) if now.unwrap_or(Oid::ZERO_SHA1) == update.wish => Pushed::Landed,
                    Ok(now) => Pushed::Lost(now.map(object_id)),
                    Err(_) => Pushed::Lost(None),
                }),
            },
        }
    }

    /// Looks once at a ref whose update may or may not have arrived.
    fn look(&self, update: &Update<'_>, why: Error) -> Result<Pushed> {
        let hint = "Nobody knows yet whether the push arrived: the ref is looked at again before anything is repeated.";
        match self.standing(update.to) {
            Ok(now) if now.unwrap_or(Oid::ZERO_SHA1) == update.wish => Ok(Pushed::Landed),
            _ => Err(Error::remote(why.to_string()).because(why).hint(hint)),
        }
    }

    /// Where the remote's ref is.
    fn standing(&self, name: &RefName) -> Result<Option<Oid>> {
        let refs = self.list_refs(name.as_str())?;
        refs.iter().find(|it| it.name == *name).map(|it| oid(&it.object)).transpose()
    }

    /// The next fetch of this ref has nothing to bring. Only a memory: where it cannot be kept, the next fetch asks.
    fn remember(&self, repository: &Handle<'_>, name: &RefName, id: Oid) {
        let _ = repository.reference(&seen(name), id, true, "pushed");
    }
}

fn callbacks<'a>(update: &'a Update<'_>, notes: &'a Notes) -> RemoteCallbacks<'a> {
    let mut callbacks = RemoteCallbacks::new();
    callbacks.push_negotiation(move |updates| {
        let announced = updates.first().map_or(Oid::ZERO_SHA1, git2::PushUpdate::src);
        notes.announced.set(Some(announced));
        if announced != update.expect || announced == update.wish {
            return Err(git2::Error::new(ErrorCode::Modified, ErrorClass::Reference, "the ref is elsewhere"));
        }
        notes.sent.set(true);
        Ok(())
    });
    callbacks.push_update_reference(move |name, status| {
        if name == update.to.as_str() {
            *notes.status.borrow_mut() = Some(status.map(str::to_owned));
        }
        Ok(())
    });
    callbacks.sideband_progress(move |bytes| {
        let mut beside = notes.beside.borrow_mut();
        if beside.len() < BESIDE_BYTES {
            beside.push_str(&String::from_utf8_lossy(bytes));
        }
        true
    });
    callbacks
}

/// The push ended before an update went out: whatever the reason, nothing has changed.
fn not_sent(update: &Update<'_>, notes: &Notes, trouble: Trouble, address: &str) -> Result<Pushed> {
    match notes.announced.get() {
        Some(now) if now == update.wish && !now.is_zero() => Ok(Pushed::Landed),
        Some(now) => Ok(Pushed::Lost((!now.is_zero()).then(|| object_id(now)))),
        None if trouble.failure.as_ref().is_some_and(|it| it.denied) => Ok(Pushed::Refused(refusal(trouble, address))),
        None => Err(trouble.into_error(address)),
    }
}

/// A missing permission as a refusal: the sentence and its hint.
fn refusal(trouble: Trouble, address: &str) -> String {
    let error = trouble.into_error(address);
    let hint = error.hint_text().map(|it| format!(" {it}")).unwrap_or_default();
    format!("{}{hint}", in_words(&error.to_string(), "", ""))
}
