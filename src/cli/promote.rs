//! `promote`: the whole way from what dev proved to healthy prod; resumes an open release.

use super::{Global, journey};
use crate::decide::Goal;
use crate::drive::Consent;
use crate::error::{Error, Result};
use crate::io::signals;
use crate::model::Ending;
use crate::report::{Out, confirm, ending};

/// Arguments.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The environment; the only one that is released to when not given.
    environment: Option<String>,
    /// Do not ask before the first write. Nobody is asked without a terminal, in CI, or with --no-input.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    reach: journey::Reach,
}

pub(super) fn run(args: Args, global: &Global, out: &Out) -> Result<()> {
    let pipeline = journey::pipeline(global)?;
    let environment = journey::environment(&pipeline, args.environment.as_deref(), true)?;
    let goal = Goal::Promote { environment };
    let asks = !args.yes && global.may_ask();
    let consent = if asks { ask(&pipeline, &args, &goal, out)? } else { Some(Consent::Given) };
    consent.map_or(Ok(()), |consent| journey::drive(&pipeline, &args.reach, &goal, &consent, out))
}

/// Shows the plan and asks. The answer is bound to that plan: if it has changed by then, nothing is done.
fn ask(pipeline: &std::sync::Arc<crate::model::Pipeline>, args: &Args, goal: &Goal, out: &Out) -> Result<Option<Consent>> {
    let ended = journey::plan(pipeline, &args.reach, goal)?;
    let Ending::Planned(ref planned) = ended else {
        out.text(ending::text(goal.environment(), &ended));
        out.json(&ending::json(goal.environment(), &ended, None));
        return Ok(None);
    };
    out.note(ending::text(goal.environment(), &ended));
    let question = format!("Move {} like this?", goal.environment());
    let yes = journey::block_on(async { signals::while_held(|| confirm(&question)) })?;
    if !yes {
        return Err(Error::refused("Nothing was done: you said no."));
    }
    Ok(Some(if planned.open.is_some() { Consent::Given } else { Consent::To(planned.hash.clone()) }))
}
