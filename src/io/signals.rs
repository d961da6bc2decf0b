//! Signals: a person or a supervisor wants this process to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, Result};

/// The wish of somebody outside that this process end: Ctrl-C, SIGTERM, a terminal that closes.
#[derive(Debug)]
pub struct Stop([Signal; 3]);

impl Stop {
    /// Listens from now on; a wish that comes before anybody waits for it is not lost.
    pub fn listen() -> Result<Self> {
        let deaf = |why| Error::bug("This process cannot listen for signals.").because(why);
        let listen = |kind| signal(kind).map_err(deaf);
        Ok(Self([listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?]))
    }

    /// Returns when the wish is there.
    pub async fn wanted(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
