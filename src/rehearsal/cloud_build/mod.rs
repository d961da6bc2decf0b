//! Cloud Build's v1 REST API over builds that really push images.
//!
//! Here: Tomoda's triggers, the builds they make, the list filter, approvals.
//! Never here: what a release tool makes of a build.
//! Start reading at `yard.rs`, the builds' life; `methods.rs` is the API. Used by the world.

use std::time::Duration;

use axum::Router;
use axum::routing::any;
use tokio::task::JoinHandle;

use super::git::Push;
use super::history::Commit;
use super::registry::Images;
use super::stage::{Backstage, Chance, Door, Server};
use crate::error::Result;

mod build;
mod filter;
mod methods;
mod problem;
mod recipe;
mod trigger;
mod wire;
mod yard;

pub use build::Status;
pub use yard::Ending;

/// How long the parts of a build take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildTiming {
    /// From a push to the build that it creates.
    pub webhook: Duration,
    /// Until somebody approves a build that waits.
    pub approve: Duration,
    /// In the queue.
    pub queue: Duration,
    /// The build itself.
    pub work: Duration,
    /// Whether builds that wait for approval wait for a real one.
    pub manual_approval: bool,
}

/// A running Cloud Build.
#[derive(Debug)]
pub struct CloudBuild {
    server: Server,
    yard: yard::Yard,
}

/// What Cloud Build needs of the world.
#[derive(Debug)]
pub struct Surroundings {
    /// The app's bare repository on disk.
    pub repository: std::path::PathBuf,
    /// Its address, as builds name their source.
    pub source_url: String,
    /// Where images go.
    pub images: Images,
    /// The world's chance.
    pub chance: Chance,
    /// How long things take.
    pub timing: BuildTiming,
    /// The world's logs.
    pub backstage: Backstage,
}

impl CloudBuild {
    /// Starts it, with the builds of the past.
    pub async fn start(around: Surroundings, past: &[Commit]) -> Result<Self> {
        let door = Door::open("cloudbuild", &around.backstage).await?;
        let Surroundings { repository, source_url, images, chance, timing, backstage } = around;
        let ground = yard::Ground { repository, source_url, images, chance, timing, events: backstage.events };
        let yard = yard::Yard::new(ground);
        yard.remember(past);
        let router = Router::new().route("/v1/{*rest}", any(methods::dispatch)).with_state(yard.clone());
        Ok(Self { server: door.serve(router), yard })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// Tells it of a push to the app.
    pub fn pushed(&self, push: Push) -> JoinHandle<()> {
        let yard = self.yard.clone();
        tokio::spawn(async move { yard.pushed(&push.moved).await })
    }

    /// Orders how the next build of a trigger ends.
    pub fn next_build_ends(&self, trigger: &str, ending: Ending) {
        self.yard.order(trigger, ending);
    }
}
