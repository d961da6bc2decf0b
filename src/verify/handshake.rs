//! The handshake with Argo CD: is what an Application says newer than what we did?
//!
//! The controller takes the refresh annotation away with the same write that brings the comparison it was asked for. So a
//! request that was set after some moment, and is gone, proves that the status speaks of a later moment; no two clocks have to
//! agree. Whose request it was does not matter, only that it was not there yet at that moment. Times have whole seconds
//! and prove something only where one is strictly later than the other.

use std::time::Duration;

use jiff::Timestamp;

use super::patience::elapsed;
use crate::model::{ApplicationName, ApplicationSeen, Ask, Asked, OperationSeen};

/// How long to wait before asking again when an answer did not bring our commit (a git mirror that lags, another branch).
const AGAIN: Duration = Duration::from_secs(30);

/// What is known about the requests to one Application.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshake {
    /// `reconciledAt` as of the first look, once there was one.
    first: Option<Option<Timestamp>>,
    /// The request under way.
    request: Option<Request>,
    /// The answer to the last request that was answered.
    answer: Option<Answer>,
    /// Since when somebody else's request is in our way.
    in_the_way: Option<Timestamp>,
    /// Why we may not ask.
    refused: Option<String>,
}

/// A request for a comparison.
#[derive(Clone, Debug)]
struct Request {
    /// The resource version since which it is known to be set.
    set: Option<String>,
    /// When we asked.
    at: Timestamp,
    /// What Argo CD was doing at that look.
    during: Activity,
}

/// A request that was answered.
#[derive(Clone, Debug)]
struct Answer {
    /// When we saw that.
    at: Timestamp,
    /// What Argo CD was doing when the request was made.
    during: Activity,
}

/// What Argo CD does with an Application, apart from comparing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Activity {
    /// An operation is asked for, runs, or waits for its next try.
    Busy,
    /// Nothing, and it tells of no operation.
    Idle,
    /// Nothing since this operation ended.
    Ended(Box<OperationSeen>),
}

impl Activity {
    /// What Argo CD was doing at this look.
    pub(super) fn of(app: &ApplicationSeen) -> Self {
        match &app.operation {
            _ if app.operation_requested => Self::Busy,
            None => Self::Idle,
            // Between two tries `finishedAt` is set while the phase stays Running: only the phase tells of an end.
            Some(it) if matches!(it.phase.as_str(), "Succeeded" | "Failed" | "Error") => Self::Ended(Box::new(it.clone())),
            Some(_) => Self::Busy,
        }
    }
}

impl Handshake {
    /// Takes note of a look. Looking at the same thing twice changes nothing.
    pub(super) fn observe(&mut self, app: &ApplicationSeen, now: Timestamp) {
        self.first.get_or_insert(app.reconciled_at);
        let foreign = app.refresh.is_some() && self.request.is_none();
        self.in_the_way = if foreign { self.in_the_way.or(Some(now)) } else { None };
        let Some(request) = &mut self.request else { return };
        match (&app.refresh, &request.set) {
            // It is there: ours or, as good, somebody's who came after the look at which we asked.
            (Some(_), None) => request.set = Some(app.resource_version.clone()),
            (Some(_), Some(_)) => {}
            // As far as we know it was never set.
            (None, None) => self.request = None,
            (None, Some(set)) if later(&app.resource_version, set) => {
                self.answer = Some(Answer { at: now, during: request.during.clone() });
                self.request = None;
            }
            // This look is older than our request.
            (None, Some(_)) => {}
        }
    }

    /// Takes note of what came of asking.
    pub(super) fn asked(&mut self, asked: &Asked) {
        match asked {
            Asked::Set { resource_version } => {
                if let Some(request) = &mut self.request {
                    request.set = Some(resource_version.clone());
                }
            }
            Asked::Lost => {}
            Asked::Refused { why } => {
                self.request = None;
                self.refused = Some(why.clone());
            }
        }
    }

    /// Whether a request that was made after our push has been answered.
    pub(super) fn answered(&self) -> bool {
        self.answer.is_some()
    }

    /// Why we may not ask, if so.
    pub(super) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Since when a request of ours waits for its answer.
    pub(super) fn unanswered_since(&self) -> Option<Timestamp> {
        self.request.as_ref().map(|it| it.at)
    }

    /// Since when somebody else's request has been in our way.
    pub(super) fn in_the_way_since(&self) -> Option<Timestamp> {
        self.in_the_way
    }

    /// Whether the comparison that this look shows began after the last operation had ended, and after our first look.
    pub(super) fn is_fresh(&self, app: &ApplicationSeen) -> bool {
        let activity = Activity::of(app);
        let answered = self.answer.as_ref().is_some_and(|it| it.during == activity);
        match &activity {
            Activity::Busy => false,
            Activity::Idle => answered || self.reconciled_since_first(app),
            Activity::Ended(operation) => {
                let strictly_later = operation.finished_at.is_some() && app.reconciled_at > operation.finished_at;
                answered || (strictly_later && self.reconciled_since_first(app))
            }
        }
    }

    /// Whether Argo CD compared anew, in a later second than the comparison that our first look showed.
    fn reconciled_since_first(&self, app: &ApplicationSeen) -> bool {
        self.first.is_some_and(|first| app.reconciled_at > first)
    }

    /// The request that would bring news, if one would and may be made now. It counts as under way from here on.
    pub(super) fn request(&mut self, application: &ApplicationName, namespace: &str, app: &ApplicationSeen, now: Timestamp) -> Option<Ask> {
        let in_the_way = app.refresh.is_some() || self.request.is_some() || self.refused.is_some();
        if in_the_way || !self.would_bring_news(app, now) {
            return None;
        }
        self.request = Some(Request { set: None, at: now, during: Activity::of(app) });
        Some(Ask::Refresh {
            application: application.clone(),
            namespace: namespace.to_owned(),
            resource_version: app.resource_version.clone(),
        })
    }

    /// Once after the push, once after the last operation's end, and now and then while the answers do not bring what we wait for.
    fn would_bring_news(&self, app: &ApplicationSeen, now: Timestamp) -> bool {
        match (&self.answer, Activity::of(app)) {
            (None, _) => true,
            (Some(answer), Activity::Busy) => elapsed(answer.at, now) >= AGAIN,
            (Some(answer), activity) => answer.during != activity || elapsed(answer.at, now) >= AGAIN,
        }
    }
}

/// Whether a resource version is later than another of the same object. They are numbers where Kubernetes keeps them; where
/// they are not, being different is all that can be said.
fn later(version: &str, than: &str) -> bool {
    match (version.parse::<u128>(), than.parse::<u128>()) {
        (Ok(version), Ok(than)) => version > than,
        _ => version != than,
    }
}
