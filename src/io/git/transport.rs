//! Our transports in the place of libgit2's: registered once, before the first conversation.

use std::sync::{Arc, Once};

use git2::transport::Transport;
use git2::{Error, ErrorClass, ErrorCode};

use super::session::Session;
use super::transport_http::Http;
use super::transport_program::Program;

/// Registers `http`, `https`, `ssh` (which the scp form resolves to as well) and `file`. Calling it again does nothing.
pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for scheme in ["http", "https"] {
            register_one(scheme, true, |session| Http { session });
        }
        for scheme in ["ssh", "file"] {
            register_one(scheme, false, |session| Program { session });
        }
    });
}

#[expect(
    unsafe_code,
    reason = "libgit2's list of transports is global; `Once` keeps two registrations apart, and every conversation comes after it"
)]
fn register_one<S: git2::transport::SmartSubtransport>(scheme: &str, stateless: bool, make: fn(Arc<Session>) -> S) {
    let factory = move |remote: &git2::Remote<'_>| match Session::current() {
        Some(session) => Transport::smart(remote, stateless, make(session)),
        None => Err(Error::new(ErrorCode::GenericError, ErrorClass::Net, "a remote is reached through a store only")),
    };
    // SAFETY: `register` must not run beside the creation of a transport. It runs under `Once`, which every conversation passes first.
    let registered = unsafe { git2::transport::register(scheme, factory) };
    registered.expect("libgit2 refuses only a scheme that is registered already, and this runs once");
}
