//! The cluster's clock: the computer's, or one that a test moves by hand.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::io;

/// Where a cluster takes its time from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The computer's clock.
    Wall,
    /// A clock that stands still until somebody moves it. Clones show the same time.
    Manual(Arc<watch::Sender<Timestamp>>),
}

impl Clock {
    /// A clock that stands at this time.
    pub fn standing_at(start: Timestamp) -> Self {
        Self::Manual(Arc::new(watch::Sender::new(start)))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Wall => io::clock::now(),
            Self::Manual(hand) => *hand.borrow(),
        }
    }

    /// Moves a manual clock; the wall's does not listen.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(hand) = self {
            hand.send_modify(|now| *now += by);
        }
    }

    /// Returns when this time has come, or earlier; forever away means not before the clock is moved.
    pub async fn reach(&self, due: Option<Timestamp>) {
        let far = Duration::from_secs(3600);
        let left = |now: Timestamp| due.map_or(far, |due| Duration::try_from(due - now).unwrap_or_default());
        match self {
            Self::Wall => io::clock::wait(left(self.now())).await,
            Self::Manual(hand) => {
                let mut moved = hand.subscribe();
                if !left(self.now()).is_zero() {
                    // The sender lives in `self`: this cannot fail while somebody waits here.
                    let _ = moved.changed().await;
                }
            }
        }
    }
}
