//! HTTP probes: what an address of the environment answers.

use crate::io::probe;
use crate::model::{HttpSeen, Seen};

/// Looks at one address.
pub async fn fetch(address: &str) -> Seen<HttpSeen> {
    match probe::get(address).await {
        Ok(answer) => Seen::Known(HttpSeen { status: answer.status, body: answer.body }),
        Err(why) => Seen::Unknown(why.chain()),
    }
}
