//! `plan`: everything `promote` (or `bump`) would do, with its hash; changes nothing.

use super::{Global, journey};
use crate::decide::Goal;
use crate::error::Result;
use crate::model::Source;
use crate::report::{Out, ending};

/// Arguments.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The environment; the only one that is released to when not given.
    environment: Option<String>,
    #[command(flatten)]
    reach: journey::Reach,
}

pub(super) fn run(args: Args, global: &Global, out: &Out) -> Result<()> {
    let pipeline = journey::pipeline(global)?;
    let environment = journey::environment(&pipeline, args.environment.as_deref(), true)?;
    let follows = pipeline.environment(&environment).is_some_and(|it| matches!(it.source, Source::Follow(_)));
    let goal = if follows {
        Goal::Bump { environment: environment.clone(), wait_for: None }
    } else {
        Goal::Promote { environment: environment.clone() }
    };
    let ended = journey::plan(&pipeline, &args.reach, &goal)?;
    out.text(ending::text(&environment, &ended));
    out.json(&ending::json(&environment, &ended, None));
    Ok(())
}
