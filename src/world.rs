//! The one port: everything outside the loop, in the vocabulary of releases.
//!
//! Two implementations exist: `cli`'s live world, which wires `observe`, `act`, `record` and `io`, and the simulation in
//! `tests/suite/resume.rs`, in which every call can be the last one.

use std::time::Duration;

use jiff::Timestamp;

use crate::decide::Wants;
use crate::error::Result;
use crate::model::{Ask, Asked, EnvName, Event, News, Performed, Sighting, State, Work};

/// What came of an append.
#[derive(Clone, Debug, PartialEq)]
pub enum Appended {
    /// The record stands at the tip.
    Recorded {
        /// The state it leaves.
        state: State,
        /// Its sequence number.
        seq: u64,
    },
    /// Somebody else appended first: look again.
    Lost,
}

/// Everything outside the loop.
#[expect(async_fn_in_trait, reason = "the loop is generic over its world; nobody needs `Send` bounds or trait objects")]
pub trait World {
    /// Looks at the ledger and at what is wanted. A system that does not answer is `Unknown`, not an error; only the
    /// ledger, the lease and the configuration can make a look fail.
    async fn look(&mut self, wants: &Wants) -> Result<Sighting>;

    /// Does one piece of work. An error means that the outcome is not known: the next look finds out.
    async fn perform(&mut self, work: &Work) -> Result<Performed>;

    /// Appends one record holding these events, on top of what the last look saw.
    async fn append(&mut self, events: &[Event]) -> Result<Appended>;

    /// Makes sure that nobody else drives this environment. An error of kind `Busy` names who does.
    async fn claim(&mut self, environment: &EnvName) -> Result<()>;

    /// Asks the outside for something that a gate needs to answer. The gates' memory is told what came of it.
    async fn ask(&mut self, ask: &Ask) -> Result<Asked>;

    /// Tells whoever watches.
    fn tell(&mut self, news: News);

    /// The time.
    fn now(&self) -> Timestamp;

    /// Waits until it is worth looking again, at most this long. An error when the driver has to stop.
    async fn wait(&mut self, pause: Duration) -> Result<()>;
}
