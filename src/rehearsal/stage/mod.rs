//! The stage every server of the rehearsal stands on: a port of the loopback, a request log, faults to order, and a loud no
//! to whatever is not understood.
//!
//! Here: what is the same for all servers.
//! Never here: what any of them answers.
//! Start reading at [`Door`]. Used by every server of the rehearsal.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

mod chance;
mod events;
mod faults;
mod inject;
mod log;
mod strict;
mod wire;

pub use chance::Chance;
pub use events::{Event, EventLog};
pub use faults::{Effect, Fault, Faults};
pub use log::{Entry, RequestLog};
pub use strict::{NotUnderstood, Query, json_body, known_fields};
pub use wire::Wire;

/// What all servers of one world share, and what tests read afterwards.
#[derive(Clone, Debug, Default)]
pub struct Backstage {
    /// Every request, in the order of arrival.
    pub requests: RequestLog,
    /// The faults that were ordered.
    pub faults: Faults,
    /// What happened, in the vocabulary of the world.
    pub events: EventLog,
}

/// A bound port that nobody answers yet: a server knows its address before it is built.
#[derive(Debug)]
pub struct Door {
    name: &'static str,
    listener: tokio::net::TcpListener,
    address: SocketAddr,
    backstage: Backstage,
}

impl Door {
    /// Binds a free port of the loopback.
    pub async fn open(name: &'static str, backstage: &Backstage) -> Result<Self> {
        let bound = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let bound = bound.and_then(|it| it.local_addr().map(|address| (it, address)));
        let (listener, address) =
            bound.map_err(|why| Error::remote(format!("The rehearsal's {name} server cannot bind a port of 127.0.0.1.")).because(why))?;
        Ok(Self { name, listener, address, backstage: backstage.clone() })
    }

    /// The address clients use, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers with these routes from now on, and with 501 on every other.
    pub fn serve(self, router: Router) -> Server {
        let url = self.url();
        let place = Place { name: self.name, backstage: self.backstage };
        let router = router
            .fallback(unknown_route)
            .method_not_allowed_fallback(unknown_route)
            .layer(middleware::from_fn_with_state(place, watch))
            .into_make_service_with_connect_info::<Wire>();
        let listener = wire::Listener::new(self.listener);
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Server { url, task }
    }
}

/// A running server. It ends when dropped.
#[derive(Debug)]
pub struct Server {
    url: String,
    task: JoinHandle<()>,
}

impl Server {
    /// The address clients use, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Place {
    name: &'static str,
    backstage: Backstage,
}

/// Logs the request, lets a fault have it, and remembers what was not understood. All of it in a task of its own: what a
/// client asked for happens even when the client does not wait for the answer.
async fn watch(State(place): State<Place>, ConnectInfo(wire): ConnectInfo<Wire>, request: Request, next: Next) -> Response {
    let answer = tokio::spawn(async move {
        let entry = Entry::of(place.name, &request);
        let fault = place.backstage.faults.fire(&entry);
        let number = place.backstage.requests.begin(entry);
        let response = match fault {
            None => next.run(request).await,
            Some(effect) => inject::inject(effect, &wire, &place.backstage.events, request, next).await,
        };
        let not_understood = response.extensions().get::<NotUnderstood>().map(ToString::to_string);
        place.backstage.requests.end(number, response.status().as_u16(), not_understood);
        response
    });
    answer.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn unknown_route(request: Request) -> Response {
    NotUnderstood::new(format!("{} {}", request.method(), request.uri().path())).into_response()
}
