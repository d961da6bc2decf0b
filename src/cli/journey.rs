//! What `bump`, `promote`, `plan`, `status` and `verify` share: the pipeline, the world, the runtime, the ending.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Global;
use crate::decide::Goal;
use crate::drive::{self, Consent};
use crate::error::{Error, Kind, Result};
use crate::io::cache;
use crate::io::signals::{self, Stop};
use crate::live::Live;
use crate::model::{Ending, EnvName, Environment, Pipeline, Source};
use crate::report::{Out, Progress, ending};

/// Options of every command that talks to the pipeline's world.
#[derive(clap::Args, Debug)]
pub(super) struct Reach {
    /// Where caches are kept.
    #[arg(long, env = "TOMODA_RELEASE_CACHE", value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

/// Loads the pipeline that the command line names.
pub(super) fn pipeline(global: &Global) -> Result<Arc<Pipeline>> {
    let file = crate::config::find(global.pipeline.as_deref(), Path::new("."))?;
    crate::config::load(&file).map(Arc::new)
}

/// The environment that is meant: the one named, or the only one of its kind.
pub(super) fn environment(pipeline: &Pipeline, named: Option<&str>, released: bool) -> Result<EnvName> {
    if let Some(name) = named {
        return known(pipeline, name).map(|it| it.name.clone());
    }
    let fits = |it: &&Environment| matches!(it.source, Source::Release(_)) == released;
    match pipeline.environments.iter().filter(fits).collect::<Vec<_>>()[..] {
        [one] => Ok(one.name.clone()),
        [] => Err(Error::usage(format!("The pipeline {} has no environment of this kind.", pipeline.name))),
        ref several => {
            let names: Vec<_> = several.iter().map(|it| it.name.as_str()).collect();
            Err(Error::usage("Several environments could be meant.").hint(format!("Name one: {}.", names.join(", "))))
        }
    }
}

/// The environment of this name.
pub(super) fn known<'a>(pipeline: &'a Pipeline, name: &str) -> Result<&'a Environment> {
    let names: Vec<_> = pipeline.environments.iter().map(|it| it.name.as_str()).collect();
    pipeline.environments.iter().find(|it| it.name.as_str() == name).ok_or_else(|| {
        let close = names.iter().map(|it| (strsim::damerau_levenshtein(name, it), it)).min().filter(|(far, _)| *far <= 2);
        let meant = close.map_or(String::new(), |(_, it)| format!("Did you mean {it}? "));
        Error::usage(format!("The pipeline {} has no environment “{name}”.", pipeline.name))
            .hint(format!("{meant}It has: {}.", names.join(", ")))
    })
}

/// Runs async work on a runtime of its own.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|why| Error::bug("The async runtime cannot be started.").because(why))?
        .block_on(work)
}

/// Opens the world of a pipeline.
pub(super) fn live(pipeline: &Arc<Pipeline>, reach: &Reach, signing: bool, progress: Arc<Progress>) -> Result<Live> {
    let cache = reach.cache_dir.clone().map_or_else(cache::dir, Ok)?;
    Live::open(pipeline.clone(), &cache, signing, Box::new(move |news| progress.tell(&news)))
}

/// Finds out what would be done.
pub(super) fn plan(pipeline: &Arc<Pipeline>, reach: &Reach, goal: &Goal) -> Result<Ending> {
    let progress = Arc::new(Progress::new());
    let mut live = live(pipeline, reach, false, progress.clone())?;
    progress.wait("planning");
    let planned = block_on(async { drive::plan(&mut live, pipeline, goal).await });
    progress.finish();
    planned
}

/// The first signal stops the loop before its next wait; the second ends the process in the middle of whatever hangs.
async fn stop_when_asked(mut stop: Stop, stopper: Arc<tokio::sync::Notify>, progress: Arc<Progress>, out: Out) {
    stop.wanted().await;
    progress.note("Stopping as soon as what is under way is done. Ask once more to stop at once.");
    stopper.notify_one();
    stop.wanted().await;
    progress.finish();
    let error = Error::new(Kind::RemoteFinal, "Stopped at once; what was begun stays open.");
    out.error(&error.hint("Run the same command again: it resumes, as soon as the lease of this process has run out."));
    signals::end_now(4);
}

/// Drives an environment to its goal and tells how it ended.
pub(super) fn drive(pipeline: &Arc<Pipeline>, reach: &Reach, goal: &Goal, consent: &Consent, out: &Out) -> Result<()> {
    let progress = Arc::new(Progress::new());
    let mut live = live(pipeline, reach, true, progress.clone())?;
    let (ended, ledger) = block_on(async {
        let stop = Stop::listen()?;
        let signals = tokio::spawn(stop_when_asked(stop, live.stopper(), progress.clone(), out.clone()));
        let ended = drive::drive(&mut live, pipeline, goal, consent).await;
        let ledger = live.tip().map(|it| (it.seq, crate::record::hex(&it.payload)));
        live.close().await;
        signals.abort();
        Ok((ended, ledger))
    })?;
    progress.finish();
    let ended = ended?;
    out.text(ending::text(goal.environment(), &ended));
    out.json(&ending::json(goal.environment(), &ended, ledger));
    match ended {
        Ending::Superseded { run, by } => Err(Error::refused(format!("{run} was superseded: {by}"))),
        Ending::Completed(_) | Ending::Nothing(_) | Ending::Planned(_) => Ok(()),
    }
}
