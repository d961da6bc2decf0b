//! The commit message of a record: for people, and the trailers that say the same as the payload.

use super::envelope::hex;
use super::record::Record;

const SEQ: &str = "Ledger-Seq: ";
const PAYLOAD: &str = "Ledger-Payload: sha256:";
const PREV: &str = "Ledger-Prev: sha256:";

/// The message of the commit that holds this record.
pub(super) fn message(record: &Record, payload: &[u8; 32]) -> String {
    let kinds: Vec<&str> = record.events.iter().map(|it| it.kind()).collect();
    let run = record.events.iter().find_map(|it| it.run()).map(|it| format!(" {it}")).unwrap_or_default();
    let mut text = format!("ledger: {} {}{run}\n\n", record.seq, kinds.join(" "));
    text.push_str(&trailers(record, payload).concat());
    text
}

fn trailers(record: &Record, payload: &[u8; 32]) -> Vec<String> {
    let mut lines = vec![format!("{SEQ}{}\n", record.seq), format!("{PAYLOAD}{}\n", hex(payload))];
    if let Some(prev) = &record.prev {
        lines.push(format!("{PREV}{}\n", hex(&prev.payload)));
    }
    lines
}

/// The first thing a commit message says differently from the record it carries.
pub(super) fn difference(message: &str, record: &Record, payload: &[u8; 32]) -> Option<String> {
    let said: Vec<&str> = message.lines().filter(|it| it.starts_with("Ledger-")).collect();
    let meant = trailers(record, payload);
    let meant: Vec<&str> = meant.iter().map(|it| it.trim_end()).collect();
    if said == meant {
        return None;
    }
    let wrong = said.iter().find(|it| !meant.contains(it));
    Some(match (wrong, meant.iter().find(|it| !said.contains(it))) {
        (Some(wrong), _) => format!("it says “{wrong}”"),
        (None, Some(missing)) => format!("“{missing}” is missing"),
        (None, None) => "its trailers are repeated or in another order".to_owned(),
    })
}
