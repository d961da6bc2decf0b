//! Watches: one JSON object a line, for as long as the client listens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use futures_util::stream::{self, Stream};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::listing::{Selection, Shape};
use super::refusal::Refusal;
use super::store::{Change, Store};
use super::table::table;
use crate::io;

/// What a watch is asked for.
#[derive(Clone, Debug)]
pub struct Watching {
    pub(super) selection: Selection,
    /// The version after which changes are wanted; none means that all objects come first.
    pub(super) after: Option<u64>,
    /// Whether a bookmark says when the first objects are through, and others follow from time to time.
    pub(super) bookmarks: bool,
    pub(super) marks_initial_end: bool,
    pub(super) lasts: Duration,
}

struct Line {
    watching: Watching,
    at: u64,
    pending: VecDeque<Value>,
    news: watch::Receiver<u64>,
    columns_sent: bool,
    ended: bool,
}

/// The lines of a watch. `look` opens the store; `now` tells the age of what is printed.
pub fn stream<S, T>(watching: Watching, store: Arc<Mutex<S>>, look: fn(&S) -> &Store, now: T) -> impl Stream<Item = Result<Bytes, std::io::Error>>
where
    S: Send + 'static,
    T: Fn() -> Timestamp + Send + 'static,
{
    let line = {
        let open = store.lock().unwrap_or_else(PoisonError::into_inner);
        Line::new(watching, look(&open), now())
    };
    let lasts = line.watching.lasts;
    let end = Box::pin(io::clock::wait(lasts));
    stream::unfold((line, store, end, now), move |(mut line, store, mut end, now)| async move {
        loop {
            if let Some(event) = line.pending.pop_front() {
                return Some((Ok(Bytes::from(format!("{event}\n"))), (line, store, end, now)));
            }
            if line.ended {
                return None;
            }
            tokio::select! {
                () = &mut end => line.finish(),
                changed = line.news.changed() => {
                    line.ended = changed.is_err();
                    let open = store.lock().unwrap_or_else(PoisonError::into_inner);
                    line.catch_up(look(&open), now());
                }
            }
        }
    })
}

impl Line {
    fn new(watching: Watching, store: &Store, now: Timestamp) -> Self {
        let at = watching.after.unwrap_or(store.version());
        let mut line = Self { at, pending: VecDeque::new(), news: store.subscribe(), columns_sent: false, ended: false, watching };
        if line.watching.after.is_none() {
            for object in line.watching.selection.objects(store) {
                line.say("ADDED", &object, now);
            }
            if line.watching.marks_initial_end {
                line.bookmark(true);
            }
        } else {
            line.catch_up(store, now);
        }
        line
    }

    fn catch_up(&mut self, store: &Store, now: Timestamp) {
        let changes: Vec<Change> = match store.since(self.at) {
            Ok(changes) => changes.cloned().collect(),
            Err(oldest) => {
                let status = Refusal::gone(self.at, oldest).status();
                self.pending.push_back(json!({ "type": "ERROR", "object": status }));
                self.ended = true;
                return;
            }
        };
        for change in changes {
            self.at = change.version;
            let wanted = |it: &Option<Arc<Value>>| it.as_ref().is_some_and(|it| self.watching.selection.selects(&change.key, it));
            match (wanted(&change.before), wanted(&change.after), &change.before, &change.after) {
                (false, true, _, Some(after)) => self.say("ADDED", after, now),
                (true, true, _, Some(after)) => self.say("MODIFIED", after, now),
                (true, false, Some(before), _) => {
                    let mut last = Value::clone(before);
                    last["metadata"]["resourceVersion"] = json!(change.version.to_string());
                    self.say("DELETED", &last, now);
                }
                _ => {}
            }
        }
    }

    fn finish(&mut self) {
        self.ended = true;
        if self.watching.bookmarks {
            self.bookmark(false);
        }
    }

    fn say(&mut self, event: &str, object: &Value, now: Timestamp) {
        let shown = match self.watching.selection.shape {
            Shape::Plain => object.clone(),
            Shape::Table => {
                let metadata = json!({ "resourceVersion": object["metadata"]["resourceVersion"] });
                let first = !std::mem::replace(&mut self.columns_sent, true);
                table(self.watching.selection.kind, &[object], &metadata, first, now)
            }
        };
        self.pending.push_back(json!({ "type": event, "object": shown }));
    }

    fn bookmark(&mut self, initial_end: bool) {
        let kind = self.watching.selection.kind;
        let mut metadata = json!({ "resourceVersion": self.at.to_string(), "creationTimestamp": null });
        if initial_end {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let object = json!({ "kind": kind.kind, "apiVersion": kind.api_version(), "metadata": metadata });
        self.pending.push_back(json!({ "type": "BOOKMARK", "object": object }));
    }
}
