//! Claims the lease, keeps it alive beside the loop, gives it back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Live, blocking};
use crate::act::lease::{self, Held, Taken};
use crate::error::{Error, Kind, Result};
use crate::io::clock;
use crate::io::git::{Expect, Person, Store};
use crate::model::{EnvName, News, ObjectId, RefName};
use crate::world::World as _;

/// A lease that is ours, kept alive by a task of its own.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    task: Option<tokio::task::JoinHandle<()>>,
}

struct Shared {
    store: Arc<Store>,
    name: RefName,
    holder: String,
    person: Person,
    /// What the ref points to while it is ours; `None` where the server knows no leases.
    ours: Mutex<Option<ObjectId>>,
    /// The signs of life that were sent since the last one that is known to stand: the ref may point to any of them.
    sent: Mutex<Vec<ObjectId>>,
    lost: Mutex<Option<String>>,
    enough: tokio::sync::Notify,
}

impl Shared {
    /// This sign of life is what the ref points to.
    fn stands(&self, object: ObjectId) {
        lock(&self.sent).clear();
        *lock(&self.ours) = Some(object);
    }
}

/// Takes the lease, or says who has it. Waits as long as a silent holder has to be granted, and not longer.
pub(super) async fn claim(live: &mut Live, environment: &EnvName) -> Result<Keeper> {
    let shared = Arc::new(Shared {
        store: live.config.clone(),
        name: lease::name(&live.pipeline.name, environment)?,
        holder: format!("{} ({})", live.actor.initiator, live.actor.executor),
        person: live.person(),
        ours: Mutex::new(None),
        sent: Mutex::new(Vec::new()),
        lost: Mutex::new(None),
        enough: tokio::sync::Notify::new(),
    });
    let ttl = live.pipeline.ledger.lease;
    let mut watched: Option<(Held, jiff::Timestamp)> = None;
    // Nearly always nobody has it: taking it outright spares the question.
    let mut held: Option<Held> = None;
    loop {
        let expect = match (&held, &watched) {
            (None, _) => Some(Expect::Absent),
            (Some(held), None) => {
                live.tell(silent(held, ttl));
                watched = Some((held.clone(), clock::now()));
                None
            }
            (Some(held), Some((before, _))) if held.object != before.object => return Err(busy(environment, held)),
            (Some(held), Some((_, since))) => (elapsed(*since) > ttl).then(|| Expect::At(held.object.clone())),
        };
        match expect {
            None => live.pause(ttl / 10).await?,
            Some(expect) => match take(&shared, expect).await? {
                Taken::Ours(object) => {
                    shared.stands(object);
                    let task = tokio::spawn(keep(shared.clone(), ttl / 3));
                    return Ok(Keeper { shared, task: Some(task) });
                }
                Taken::Unsupported(_) => return Ok(Keeper { shared, task: None }),
                Taken::Lost => watched = None,
            },
        }
        held = look(&shared).await?;
    }
}

/// Who waits should know for whom, and for how long at most.
fn silent(held: &Held, ttl: Duration) -> News {
    let why = format!("held by {}; if it stays silent for {} s, this process takes over", held.holder, ttl.as_secs());
    News::Waiting { what: "the lease".to_owned(), why }
}

fn busy(environment: &EnvName, held: &Held) -> Error {
    Error::new(Kind::Busy, format!("{environment} is being driven by {}.", held.holder))
        .hint("Let it finish; `status` shows how far it is. If it dies, the next command takes over.")
}

fn elapsed(since: jiff::Timestamp) -> Duration {
    Duration::try_from(clock::now().duration_since(since)).unwrap_or_default()
}

async fn look(shared: &Arc<Shared>) -> Result<Option<Held>> {
    let shared = shared.clone();
    blocking(move || lease::look(&shared.store, &shared.name)).await
}

async fn take(shared: &Arc<Shared>, expect: Expect) -> Result<Taken> {
    let shared = shared.clone();
    let nonce = clock::now().as_nanosecond().to_string();
    blocking(move || {
        let sign = lease::sign(&shared.store, &shared.person, &shared.holder, &nonce)?;
        lock(&shared.sent).push(sign.clone());
        lease::take(&shared.store, &shared.name, &expect, &sign)
    })
    .await
}

/// Shows a sign of life again and again, until the lease is lost or the task is ended.
async fn keep(shared: Arc<Shared>, every: Duration) {
    loop {
        tokio::select! {
            () = clock::wait(every) => {}
            () = shared.enough.notified() => return,
        }
        let Some(ours) = lock(&shared.ours).clone() else { return };
        // A sign of life that fails is tried again at the next turn; only another holder ends it.
        match take(&shared, Expect::At(ours)).await {
            Ok(Taken::Ours(object)) => shared.stands(object),
            Ok(Taken::Lost) => match look(&shared).await {
                Ok(Some(held)) if lock(&shared.sent).contains(&held.object) => shared.stands(held.object),
                Ok(Some(held)) => {
                    *lock(&shared.lost) = Some(held.holder);
                    return;
                }
                // Removed by hand, or given back by who had taken over meanwhile: it is free, and the ledger says what is left to do.
                Ok(None) => {
                    if let Ok(Taken::Ours(object)) = take(&shared, Expect::Absent).await {
                        shared.stands(object);
                    }
                }
                Err(_) => {}
            },
            Ok(Taken::Unsupported(_)) | Err(_) => {}
        }
    }
}

impl Keeper {
    /// Who took the lease away, if it is lost.
    pub(super) fn lost_to(&self) -> Option<String> {
        lock(&self.shared.lost).clone()
    }

    /// Gives the lease back, so that the next command need not wait for it to die. Best effort: it dies by itself.
    pub(super) async fn release(self) {
        if let Some(task) = self.task {
            // Not aborted: a sign of life cut in the middle would leave a lease that nobody knows to be ours.
            self.shared.enough.notify_one();
            task.await.ok();
        }
        let Some(ours) = lock(&self.shared.ours).take() else { return };
        let shared = self.shared.clone();
        blocking(move || lease::release(&shared.store, &shared.name, &ours)).await.ok();
    }
}

/// A poisoned lock means that a thread panicked while it held plain data; the data is still what it was.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
