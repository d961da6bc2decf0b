//! What happened in the world, for whoever watches it.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::io::clock;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Which part of the world speaks.
    pub who: &'static str,
    /// What, as a sentence without a full stop.
    pub what: String,
}

/// Everything that happened so far. Cheap to clone; all clones are one log.
#[derive(Clone, Debug)]
pub struct EventLog {
    events: Arc<Mutex<Vec<Event>>>,
    count: watch::Sender<usize>,
}

impl Default for EventLog {
    fn default() -> Self {
        Self { events: Arc::default(), count: watch::Sender::new(0) }
    }
}

impl EventLog {
    /// Adds what just happened.
    pub fn add(&self, who: &'static str, what: impl Into<String>) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(Event { at: clock::now(), who, what: what.into() });
        self.count.send_replace(events.len());
    }

    /// Everything after the first `seen` events.
    pub fn since(&self, seen: usize) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).iter().skip(seen).cloned().collect()
    }

    /// Returns once there are more than `seen` events.
    pub async fn more_than(&self, seen: usize) {
        self.count.subscribe().wait_for(|count| *count > seen).await.ok();
    }
}
