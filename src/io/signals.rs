//! Signals: a person or a supervisor wants this process to end.

use tokio::signal::unix::{SignalKind, signal};

/// Returns when somebody wants this process to end: SIGTERM, SIGINT or SIGHUP.
pub async fn asked_to_stop() {
    tokio::select! {
        () = received(SignalKind::terminate()) => {}
        () = received(SignalKind::interrupt()) => {}
        () = received(SignalKind::hangup()) => {}
    }
}

/// Does something that answers Ctrl-C itself: until it is done, that does not end the process. Needs a runtime.
pub fn while_held<T>(work: impl FnOnce() -> T) -> T {
    let _held = signal(SignalKind::interrupt());
    work()
}

async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        // A signal that cannot be listened for is one that never comes.
        Err(_) => std::future::pending().await,
    }
}
