//! HTTP probes: what an address of the environment answers.

use crate::io::probe;
use crate::model::{HttpSeen, Seen};

/// Looks at one address.
pub async fn fetch(address: &str) -> Seen<HttpSeen> {
    probe::get(address).await.map(|answer| HttpSeen { status: answer.status, body: answer.body }).into()
}
