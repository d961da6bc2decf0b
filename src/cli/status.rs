//! `status`: environments x components: newest, wanted, running, version, health, drift, holds, open release.

use std::sync::Arc;

use super::{Global, journey};
use crate::decide::{Wants, survey};
use crate::error::Result;
use crate::live::Live;
use crate::model::{Environment, Pipeline};
use crate::report::{Out, Progress, status};
use crate::world::World;

/// Arguments.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    reach: journey::Reach,
}

pub(super) fn run(args: Args, global: &Global, out: &Out) -> Result<()> {
    let pipeline = journey::pipeline(global)?;
    let progress = Arc::new(Progress::new());
    let mut live = journey::live(&pipeline, &args.reach, false, progress.clone())?;
    progress.wait("looking at every environment");
    let standings = journey::block_on(async {
        let mut standings = Vec::new();
        for environment in &pipeline.environments {
            standings.push(look(&mut live, &pipeline, environment).await?);
        }
        Ok(standings)
    });
    progress.finish();
    let standings = standings?;
    out.text(status::text(&standings));
    out.json(&status::json(&standings));
    Ok(())
}

/// Git and the registry first; the cluster by what they say. A cluster that cannot be reached leaves the rest readable.
async fn look(live: &mut Live, pipeline: &Pipeline, environment: &Environment) -> Result<survey::Standing> {
    let seen = live.look(&survey::wants(environment)).await?;
    let cluster = match survey::cluster_wants(environment, &seen) {
        Some(gates) => live.look(&Wants { gates: Some(gates), ..Wants::default() }).await,
        None => Ok(seen.clone()),
    };
    let mut standing = survey::survey(pipeline, environment, &seen, cluster.as_ref().ok());
    standing.unknown.extend(cluster.err().map(|it| it.chain()));
    Ok(standing)
}
