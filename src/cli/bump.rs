//! `bump`: moves an environment to its newest candidate, verifies it, records it.

use super::{Global, journey};
use crate::decide::Goal;
use crate::drive::Consent;
use crate::error::{Error, Result};
use crate::model::Tag;
use crate::report::Out;

/// Arguments.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The environment; the only one that follows tags when not given.
    environment: Option<String>,
    /// Wait until the registry offers this tag: for a CI step that knows what it built.
    #[arg(long, value_name = "TAG")]
    wait_for: Option<String>,
    #[command(flatten)]
    reach: journey::Reach,
}

pub(super) fn run(args: Args, global: &Global, out: &Out) -> Result<()> {
    let pipeline = journey::pipeline(global)?;
    let environment = journey::environment(&pipeline, args.environment.as_deref(), false)?;
    let wait_for = args.wait_for.as_deref().map(Tag::parse).transpose().map_err(Error::usage)?;
    journey::drive(&pipeline, &args.reach, &Goal::Bump { environment, wait_for }, &Consent::Given, out)
}
