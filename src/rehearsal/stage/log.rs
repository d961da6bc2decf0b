//! Every request to every server, as tests want to read it: without secrets.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use jiff::Timestamp;

use crate::io::clock;

/// One request and the status it was answered with.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it came.
    pub at: Timestamp,
    /// The server it came to.
    pub server: &'static str,
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its query as sent, without the question mark.
    pub query: String,
    /// The scheme of its `Authorization`, never the value.
    pub authorization: Option<String>,
    /// What it was answered with; `None` while it runs.
    pub status: Option<u16>,
    /// What of it was not understood.
    pub not_understood: Option<String>,
}

impl Entry {
    /// Takes down a request.
    pub(super) fn of(server: &'static str, request: &Request) -> Self {
        let authorization = request.headers().get(AUTHORIZATION).map(|it| {
            let scheme = it.to_str().unwrap_or_default().split(' ').next().unwrap_or_default();
            format!("{scheme} ***")
        });
        Self {
            at: clock::now(),
            server,
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            authorization,
            status: None,
            not_understood: None,
        }
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.server, self.method, self.path)?;
        if !self.query.is_empty() {
            write!(f, "?{}", self.query)?;
        }
        match self.status {
            Some(status) => write!(f, " -> {status}"),
            None => f.write_str(" -> (running)"),
        }
    }
}

/// The log of all servers of one world. Cheap to clone; all clones are one log.
#[derive(Clone, Debug, Default)]
pub struct RequestLog(Arc<Mutex<Vec<Entry>>>);

impl RequestLog {
    pub(super) fn begin(&self, entry: Entry) -> usize {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(entry);
        entries.len() - 1
    }

    pub(super) fn end(&self, number: usize, status: u16, not_understood: Option<String>) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries[number].status = Some(status);
        entries[number].not_understood = not_understood;
    }

    /// All requests so far.
    pub fn all(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The requests to one server.
    pub fn of(&self, server: &str) -> Vec<Entry> {
        self.all().into_iter().filter(|it| it.server == server).collect()
    }

    /// The requests that some server did not understand: a test wants none.
    pub fn not_understood(&self) -> Vec<Entry> {
        self.all().into_iter().filter(|it| it.not_understood.is_some()).collect()
    }
}
