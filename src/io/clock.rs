//! The clock: the only place that reads it.

use std::time::Duration;

use jiff::Timestamp;

/// The time.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Waits.
pub async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}
