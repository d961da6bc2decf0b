//! The real world: wires the eyes, the hands and the memory to the loop.
//!
//! Here: one implementation of [`World`]; which store, client and key each of its calls needs.
//! Never here: a decision, or the order of things.
//! Start reading at `look.rs`. Used by `cli`.

mod lease;
mod look;
mod perform;
mod preflight;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::decide::Wants;
use crate::error::{Error, Kind, Result};
use crate::io::git::{Person, Remote, Store};
use crate::io::{clock, credentials, identity};
use crate::model::{Actor, Ask, Asked, EnvName, Event, News, Performed, Pipeline, Sighting, Work};
use crate::record::{AppendOutcome, Ledger, Tip};
use crate::world::{Appended, World};

/// Everything outside, for one pipeline.
pub struct Live {
    pipeline: Arc<Pipeline>,
    config: Arc<Store>,
    app: Arc<Store>,
    ledger: Arc<Ledger>,
    /// The ledger's tip as last seen or written, and whether the next look may trust it.
    tip: Option<Tip>,
    fresh: bool,
    actor: Actor,
    lease: Option<lease::Keeper>,
    clients: look::Clients,
    news: Box<dyn FnMut(News) + Send>,
    stop: Arc<tokio::sync::Notify>,
}

impl Live {
    /// Opens the caches below `cache`. Nothing is asked of anyone yet. `news` is told what happens.
    pub fn open(pipeline: Arc<Pipeline>, cache: &Path, signing: bool, news: Box<dyn FnMut(News) + Send>) -> Result<Self> {
        let reach = remote(&pipeline.config.repo, pipeline.config.token.as_ref())?;
        let config = Arc::new(Store::open(reach.clone(), cache)?);
        let app = Arc::new(Store::open(remote(&pipeline.app.repo, pipeline.app.token.as_ref())?, cache)?);
        let key = match (&pipeline.ledger.sign, signing) {
            (Some(reference), true) => Some(credentials::resolve(reference)?),
            (None, true) => {
                return Err(Error::config("The pipeline names no key to sign the ledger with.")
                    .hint("Add `ledger: { sign: { sshKey: env:NAME } }`: an ed25519 private key in OpenSSH form."));
            }
            (_, false) => None,
        };
        let ledger = Arc::new(Ledger::new(config.clone(), &pipeline.ledger, key, &pipeline.name)?.remembering(cache, &reach));
        let stop = Arc::new(tokio::sync::Notify::new());
        let clients = look::Clients::new();
        Ok(Self { pipeline, config, app, ledger, tip: None, fresh: false, actor: identity::actor(), lease: None, clients, news, stop })
    }

    /// What a signal handler rings in order to stop the loop between two turns.
    pub fn stopper(&self) -> Arc<tokio::sync::Notify> {
        self.stop.clone()
    }

    /// The ledger's tip as it was last seen or written.
    pub fn tip(&self) -> Option<&Tip> {
        self.tip.as_ref()
    }

    /// Gives the lease back. Called at the end, whatever the end is.
    pub async fn close(mut self) {
        if let Some(lease) = self.lease.take() {
            lease.release().await;
        }
    }

    /// The author of commits and tags made now.
    fn person(&self) -> Person {
        let (name, email) = self.pipeline.config.author.clone();
        Person { name, email, time: clock::now().as_second() }
    }

    /// Waits, unless somebody says stop.
    async fn pause(&self, pause: Duration) -> Result<()> {
        tokio::select! {
            () = clock::wait(pause) => Ok(()),
            () = self.stop.notified() => Err(Error::new(Kind::RemoteFinal, "Stopped by a signal; what was begun stays open.")
                .hint("Run the same command again: it resumes here.")),
        }
    }

    /// Reads the ledger's tip, unless we just wrote it.
    async fn refresh_tip(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.fresh) {
            let ledger = self.ledger.clone();
            self.tip = blocking(move || ledger.tip()).await?;
        }
        Ok(())
    }
}

/// How to reach a repository, with its token fetched.
pub fn remote(url: &crate::model::RepoUrl, token: Option<&crate::model::SecretRef>) -> Result<Remote> {
    Ok(Remote { url: url.clone(), token: token.map(credentials::resolve).transpose()? })
}

/// Runs blocking work (libgit2) beside the async runtime.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|why| Error::bug("A worker thread died.").because(why))?
}

impl World for Live {
    async fn look(&mut self, wants: &Wants) -> Result<Sighting> {
        if let Some(holder) = self.lease.as_ref().and_then(lease::Keeper::lost_to) {
            return Err(Error::new(Kind::Busy, format!("{holder} took over while this process was silent."))
                .hint("Let it finish; `status` shows how far it is. If it dies, the next command takes over."));
        }
        self.refresh_tip().await?;
        look::look(self, wants).await
    }

    async fn perform(&mut self, work: &Work) -> Result<Performed> {
        perform::perform(self, work).await
    }

    async fn append(&mut self, events: &[Event]) -> Result<Appended> {
        let (ledger, tip, actor, events) = (self.ledger.clone(), self.tip.clone(), self.actor.clone(), events.to_vec());
        let now = clock::now();
        match blocking(move || ledger.append(tip.as_ref(), &events, now, &actor)).await? {
            AppendOutcome::Recorded(tip) => {
                let appended = Appended::Recorded { state: tip.state.clone(), seq: tip.seq };
                (self.tip, self.fresh) = (Some(*tip), true);
                Ok(appended)
            }
            AppendOutcome::Lost => Ok(Appended::Lost),
        }
    }

    async fn claim(&mut self, environment: &EnvName) -> Result<()> {
        // An open run has begun writing: it is resumed whatever is down, and waits for it.
        if self.tip.as_ref().is_none_or(|it| !it.state.open.contains_key(environment)) {
            preflight::check(self, environment).await?;
        }
        let keeper = lease::claim(self, environment).await?;
        self.lease = Some(keeper);
        // Claiming may have taken a while; what was seen before it is old.
        self.fresh = false;
        Ok(())
    }

    async fn ask(&mut self, ask: &Ask) -> Result<Asked> {
        perform::ask(self, ask).await
    }

    fn tell(&mut self, news: News) {
        (self.news)(news);
    }

    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn wait(&mut self, pause: Duration) -> Result<()> {
        let jitter = pause.mul_f64(0.75 + f64::from(u32::from(clock::now().subsec_nanosecond().unsigned_abs() as u16)) / 131_072.0);
        self.pause(jitter).await
    }
}
