//! One conversation with a remote: what its transport needs to know, and what went wrong in our own words.
//!
//! libgit2's transports are global and know only an address. libgit2 calls them on the thread that called it, so the
//! conversation stands in a thread-local for as long as the call lasts: the token belongs to one store and to nobody else.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};
use crate::model::Secret;

use super::network::Network;
use super::remote::{Remote, authorization, plain_address};

/// The most that one conversation may bring.
const MOST_BYTES: u64 = 8 << 30;
/// Words with which a server ends a conversation for good.
const FINAL_WORDS: &[&str] = &["not found", "denied", "not exported", "does not exist", "not a git repository", "disabled"];

/// One conversation with a remote.
pub(super) struct Session {
    /// The address that the credentials are for.
    pub(super) address: String,
    /// The `Authorization` header.
    pub(super) authorization: Option<Secret>,
    /// How to get out.
    pub(super) network: Network,
    /// Where the repository moved to, after a redirect within the same host.
    pub(super) moved: Mutex<Option<String>>,
    began: Instant,
    received: AtomicU64,
    failure: Mutex<Option<Failure>>,
}

/// What went wrong, and whether the remote said no to *us*.
pub(super) struct Failure {
    /// In our words.
    pub(super) error: Error,
    /// A permission is missing: definite, nothing was changed.
    pub(super) denied: bool,
}

/// A call to libgit2 that failed.
pub(super) struct Trouble {
    /// What our transport knows about it.
    pub(super) failure: Option<Failure>,
    /// What libgit2 says.
    pub(super) git: git2::Error,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Session>>> = const { RefCell::new(None) };
}

impl Session {
    /// A conversation that begins now.
    pub(super) fn begin(remote: &Remote, network: &Network) -> Result<Arc<Self>> {
        super::transport::register();
        Ok(Arc::new(Self {
            address: plain_address(&remote.url),
            authorization: authorization(remote)?,
            network: network.clone(),
            moved: Mutex::new(None),
            began: Instant::now(),
            received: AtomicU64::new(0),
            failure: Mutex::new(None),
        }))
    }

    /// The conversation this thread is in.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Calls libgit2 within this conversation.
    pub(super) fn run<T>(self: &Arc<Self>, act: impl FnOnce() -> Result<T, git2::Error>) -> Result<T, Trouble> {
        let _back = Restore(CURRENT.replace(Some(Arc::clone(self))));
        act().map_err(|git| Trouble { failure: self.failure.lock().unwrap_or_else(PoisonError::into_inner).take(), git })
    }

    /// Keeps what went wrong (the first time counts), and gives libgit2 something to pass on.
    pub(super) fn fail(&self, error: Error, denied: bool) -> std::io::Error {
        // libgit2 turns the text into a C string; our own words go another way.
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(Failure { error, denied });
        std::io::Error::other("the transport failed")
    }

    /// Whether something went wrong already.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What is left of the total time; `None` when it is used up.
    pub(super) fn time_left(&self) -> Option<Duration> {
        self.network.limits.total.checked_sub(self.began.elapsed()).filter(|left| !left.is_zero())
    }

    /// Counts what arrived; an error when it is more than any repository we work with holds.
    pub(super) fn receive(&self, bytes: usize) -> Result<()> {
        let before = self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        if before > MOST_BYTES {
            return Err(Error::remote_final(format!("{} sends more than {} GiB.", self.address, MOST_BYTES >> 30)));
        }
        Ok(())
    }

    /// The error for a conversation that took too long.
    pub(super) fn took_too_long(&self) -> Error {
        let seconds = self.network.limits.total.as_secs_f32();
        Error::remote(format!("{} took longer than {seconds} s in all.", self.address))
    }
}

struct Restore(Option<Arc<Session>>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl Trouble {
    /// Whether the cache is broken, rather than the remote or the way to it.
    pub(super) fn is_damage(&self) -> bool {
        self.failure.is_none() && is_damage(&self.git)
    }

    /// As an error, for a remote at this address.
    pub(super) fn into_error(self, address: &str) -> Error {
        match self.failure {
            Some(failure) => failure.error,
            None => {
                let words = words(&self.git);
                let last = words.contains("remote object format")
                    || words.contains("remote error") && FINAL_WORDS.iter().any(|it| words.contains(it));
                let kind = if last { Kind::RemoteFinal } else { Kind::Remote };
                Error::new(kind, format!("The conversation with {address} failed: {words}."))
            }
        }
    }
}

/// Whether libgit2 complains about objects or refs on this disk.
pub(super) fn is_damage(why: &git2::Error) -> bool {
    use git2::ErrorClass::{Object, Odb, Reference, Repository, Zlib};
    let transient = matches!(why.code(), git2::ErrorCode::Locked | git2::ErrorCode::NotFastForward | git2::ErrorCode::Modified);
    matches!(why.class(), Odb | Zlib | Object | Repository | Reference) && !transient
}

/// libgit2's words, without a full stop of their own.
pub(super) fn words(why: &git2::Error) -> String {
    why.message().trim_end_matches('.').to_owned()
}
