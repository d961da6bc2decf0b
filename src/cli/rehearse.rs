//! `rehearse`: the whole flow against a world on this computer.

use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

use super::Global;
use crate::error::{Error, Result};
use crate::io::clock;
use crate::io::signals::Stop;
use crate::rehearsal::cloud_build::{Ending, Status};
use crate::rehearsal::play::{self, Change};
use crate::rehearsal::stage::{Event, Fault};
use crate::rehearsal::{Options, Pace, World, git};
use crate::report::Out;

/// Arguments.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Leave the world up afterwards, for commands from a second terminal.
    #[arg(long)]
    keep: bool,
    /// Begin the world's chance here, to get the same one again.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How long a build runs.
    #[arg(long, value_name = "TIME", value_parser = time)]
    build_time: Option<Duration>,
    /// How long a rollout runs.
    #[arg(long, value_name = "TIME", value_parser = time)]
    rollout_time: Option<Duration>,
    /// Everything answers at once.
    #[arg(long)]
    instant: bool,
    /// Let builds of dev images wait for a person's approval, as Tomoda's do.
    #[arg(long)]
    manual_approval: bool,
    /// Let the next build of this trigger fail.
    #[arg(long, value_name = "TRIGGER")]
    fail_build: Vec<String>,
    /// Order a fault: "SERVER METHOD PATH [nth=N] [times=N] EFFECT".
    ///
    /// SERVER is one of git, registry, cloudbuild, kubernetes, github, app; METHOD and PATH are as in the request; in all
    /// three `*` stands for anything. EFFECT is one of status=CODE (with retry-after=TEXT or html), delay=TIME (before
    /// anything happens), late=TIME (after it happened), cut=BYTES, reset=before, reset=after, silent=before, silent=after
    /// (no answer, ever), redirect=URL.
    #[arg(long, value_name = "SPEC")]
    fault: Vec<String>,
}

/// What is pushed: one change of each component, so that both have something to release.
const CHANGES: &[Change<'static>] = &[
    Change {
        subject: "feat(backend): greet the guest by name (#427)",
        files: &[("backend/greeting.go", "package main\n\n// What a guest is greeted with.\nconst greeting = \"Good morning, %s\"\n")],
    },
    Change {
        subject: "fix(frontend): keep the greeting on one line (#428)",
        files: &[("frontend/greeting.css", "#greeting { white-space: nowrap; }\n")],
    },
];

pub(super) fn run(args: Args, _global: &Global, out: &Out) -> Result<()> {
    let faults = args.fault.iter().map(|it| Fault::parse(it)).collect::<Result<Vec<_>>>()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|why| Error::bug("The asynchronous runtime does not start.").because(why))?;
    let result = runtime.block_on(async {
        let mut stop = Stop::listen()?;
        let world = World::start(options(&args)).await?;
        faults.into_iter().for_each(|fault| world.backstage.faults.order(fault));
        for trigger in &args.fail_build {
            world.cloud_build.next_build_ends(trigger, Ending::With(Status::Failure));
        }
        let shown = if out.is_json() { serve(&world, &mut stop, out).await } else { play(&world, &mut stop, &args, out).await };
        let stopped = world.stop().await;
        shown.and(stopped)
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

fn options(args: &Args) -> Options {
    let mut pace = if args.instant { Pace::instant() } else { Pace::watchable() };
    pace.build.work = args.build_time.unwrap_or(pace.build.work);
    pace.build.manual_approval = args.manual_approval;
    pace.cluster.rollout = args.rollout_time.unwrap_or(pace.cluster.rollout);
    Options { seed: args.seed, pace }
}

fn time(text: &str) -> Result<Duration, String> {
    let time: SignedDuration = text.parse().map_err(|why| format!("{why}; write it like 300ms or 2s"))?;
    time.try_into().map_err(|_| "a time cannot be negative".to_owned())
}

/// For programs: one line when everything answers, and nothing more until the end.
async fn serve(world: &World, stop: &mut Stop, out: &Out) -> Result<()> {
    out.json_line(&world.described());
    stop.wanted().await;
    Ok(())
}

/// For people: the journey, and with `--keep` the world afterwards.
async fn play(world: &World, stop: &mut Stop, args: &Args, out: &Out) -> Result<()> {
    let played = tokio::select! {
        it = perform(world, out) => it,
        () = stop.wanted() => return Ok(()),
    };
    if args.keep {
        if let Err(why) = &played {
            out.note(why.chain());
        }
        invite(world, out)?;
        stop.wanted().await;
    }
    played
}

/// Plays the journey with the real commands, as child processes that know nothing but the pipeline and the environment.
async fn perform(world: &World, out: &Out) -> Result<()> {
    let begun = clock::now();
    let config_before = play::commits_since(world, git::CONFIG, "main", None).first().map(|(id, _)| id.clone());
    out.text(format!("A world on this computer: git, registry, Cloud Build, Argo CD on Kubernetes, GitHub (seed {}).\n", world.seed));
    out.text("$ git push origin main");
    // What was built before belongs to the world's past.
    let mut seen = world.backstage.events.since(0).len();
    let tip = play::push(world, CHANGES).await?;
    for change in CHANGES {
        out.text(format!("  {}", change.subject));
    }
    let say = |event: &Event| out.text(format!("  {}: {}", event.who, event.what));
    for component in ["backend", "frontend"] {
        play::dev_image(world, component, &tip, &mut seen, say).await;
    }
    let pipeline = world.pipeline().display().to_string();
    for command in [&["bump", "dev"][..], &["promote", "--yes"], &["ledger", "verify"]] {
        out.text(format!("\n$ tomoda-release {}", command.join(" ")));
        let status = play::command(world, &[command, &["--pipeline", &pipeline]].concat()).await?;
        if !status.success() {
            return Err(failed(command, status.code()));
        }
    }
    sum_up(world, out, config_before.as_deref());
    for request in world.backstage.requests.not_understood() {
        out.note(format!("The rehearsal did not understand {request}."));
    }
    out.text(format!("\nAll of it took {:.1} s.", clock::now().duration_since(begun).as_secs_f64()));
    Ok(())
}

/// The exit code of the command that failed becomes the rehearsal's.
fn failed(command: &[&str], code: Option<i32>) -> Error {
    let message = format!("The rehearsal ends here: `tomoda-release {}` failed.", command.join(" "));
    match code {
        Some(2) => Error::config(message),
        Some(3) => Error::refused(message),
        Some(4) => Error::remote(message),
        Some(5) => Error::ledger(message),
        Some(6) => Error::new(crate::error::Kind::Busy, message),
        Some(7) => Error::new(crate::error::Kind::Approval, message),
        _ => Error::bug(message),
    }
}

/// What is different now.
fn sum_up(world: &World, out: &Out, config_before: Option<&str>) {
    out.text("\nWhat happened:");
    for tag in play::tags(world) {
        out.text(format!("  app     {tag}"));
    }
    for (id, subject) in play::commits_since(world, git::CONFIG, "main", config_before).iter().rev() {
        out.text(format!("  config  {} {subject}", &id[..7]));
    }
    let records = play::commits_since(world, git::CONFIG, "release-ledger", None).len();
    out.text(format!("  ledger  {records} records"));
}

/// How a second terminal joins.
fn invite(world: &World, out: &Out) -> Result<()> {
    let script: PathBuf = play::write_environment(world)?;
    out.text(format!(
        "\nThe world stays up until Ctrl-C. In a second terminal:\n\n  . {}\n  tomoda-release status\n  git clone {}\n  git clone {}\n  \
         kubectl get applications,deployments --all-namespaces\n  gcloud builds list --region asia-east1\n\nPipeline: {}\nRegistry: {}",
        script.display(),
        world.git.url(git::APP),
        world.git.url(git::CONFIG),
        world.pipeline().display(),
        world.registry.url(),
    ));
    out.text("\nThe environment (the ledger's key is in the script only):");
    for (name, value) in world.environment().iter().filter(|(name, _)| *name != "TOMODA_LEDGER_KEY") {
        out.text(format!("  export {name}={value}"));
    }
    Ok(())
}
