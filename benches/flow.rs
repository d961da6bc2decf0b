//! The whole program against a rehearsal whose config repository has 4,500 files and 9,000 commits: how long from the
//! question for tags to the commit on the server, what a `promote` takes in all, and which requests each command makes.
//!
//! `cargo bench --bench flow`; the commands are real processes with a warm cache, the world is in this one. Plain git does
//! the same two pushes in the same run, as the floor.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark lives outside the edge rule and prints"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use tomoda_release::rehearsal::play::{self, Change};
use tomoda_release::rehearsal::{Options, Pace, World, git};

const FILES: usize = 4_500;
const COMMITS: usize = 9_000;

fn main() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(11);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let world = World::start(Options { seed: Some(1), pace: Pace::instant() }).await.unwrap();
        grow(&world.git.dir(git::CONFIG));
        println!("config repository: {FILES} files, {COMMITS} commits; everything on this computer answers at once\n");
        change(&world, 0).await;
        let first = run(&world, &["bump", "dev"]).await;
        println!("first bump, cold cache: {:.0} ms\n", millis(first.took));
        let mut table = Table::default();
        for round in 1..=rounds {
            change(&world, round).await;
            let asked = run(&world, &["bump", "dev"]).await;
            table.add("bump dev, news", &asked);
            table.time("  tag asked for → commit on the server", seen_to_commit(&world, &asked));
            table.add("bump dev, no news", &run(&world, &["bump", "dev"]).await);
            table.add("status", &run(&world, &["status"]).await);
            table.add("promote --yes, two components", &run(&world, &["promote", "--yes"]).await);
            table.time("  plain git: two pushes", floor(&world, round));
        }
        table.print();
        world.stop().await.unwrap();
    });
}

/// What one run of a command did.
struct Ran {
    took: Duration,
    kilobytes: u64,
    requests: Vec<tomoda_release::rehearsal::stage::Entry>,
}

/// Runs the program in the world.
async fn run(world: &World, arguments: &[&str]) -> Ran {
    let before = world.backstage.requests.all().len();
    let peak = world.folder().join("peak");
    let mut command = tokio::process::Command::new("/usr/bin/time");
    command.args(["-f", "%M", "-o"]).arg(&peak).arg(env!("CARGO_BIN_EXE_tomoda-release")).args(arguments);
    command.env_clear().envs(std::env::var_os("PATH").map(|it| ("PATH", it))).envs(world.environment());
    command.env("HOME", world.folder()).env("XDG_CACHE_HOME", world.folder().join("cache")).env("CI", "true");
    command.stdin(Stdio::null());
    let began = Instant::now();
    let output = command.output().await.expect("/usr/bin/time is installed");
    let took = began.elapsed();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let kilobytes = std::fs::read_to_string(peak).ok().and_then(|it| it.trim().parse().ok()).unwrap_or_default();
    Ran { took, kilobytes, requests: world.backstage.requests.all().split_off(before) }
}

/// From the first question to the registry to the moment the branch moved: when its file was written. The clock of files ticks
/// every 4 ms.
fn seen_to_commit(world: &World, ran: &Ran) -> Duration {
    let asked = ran.requests.iter().find(|it| it.server == "registry").expect("the registry was asked").at;
    let file = world.git.dir(git::CONFIG).join("refs/heads/main");
    let moved = std::fs::metadata(file).unwrap().modified().unwrap();
    moved.duration_since(SystemTime::from(asked)).expect("the branch moved after the question")
}

/// A change of both components, pushed and built.
async fn change(world: &World, round: usize) {
    let text = format!("package main\n\nconst round = {round}\n");
    let style = format!("#round-{round} {{ color: red; }}\n");
    let changes = [
        Change { subject: "fix(backend): another round", files: &[("backend/round.go", &text)] },
        Change { subject: "fix(frontend): another round", files: &[("frontend/round.css", &style)] },
    ];
    let tip = play::push(world, &changes).await.unwrap();
    for component in ["backend", "frontend"] {
        play::dev_image(world, component, &tip, &mut 0, |_| {}).await;
    }
}

/// Two commits pushed by git itself, one after the other, from a clone that has everything.
fn floor(world: &World, round: usize) -> Duration {
    let clone = world.folder().join("clone");
    if !clone.exists() {
        git_in(world.folder(), &["clone", "--quiet", "--bare", "--depth=1", &world.git.url(git::CONFIG), &clone.display().to_string()]);
    }
    let mut took = Duration::ZERO;
    for branch in ["one", "two"] {
        let tree = git_in(&clone, &["rev-parse", "HEAD^{tree}"]);
        let commit = git_in(&clone, &["commit-tree", &tree, "-p", "HEAD", "-m", &format!("{branch} {round}")]);
        let began = Instant::now();
        git_in(&clone, &["push", "--quiet", "origin", &format!("+{commit}:refs/heads/floor-{branch}")]);
        took += began.elapsed();
    }
    took
}

fn git_in(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("NO_PROXY", "127.0.0.1").stdin(Stdio::null());
    for (key, value) in [("NAME", "Ann"), ("EMAIL", "ann@example.com")] {
        command.env(format!("GIT_AUTHOR_{key}"), value).env(format!("GIT_COMMITTER_{key}"), value);
    }
    let output = command.output().expect("git is installed");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Gives the config repository its files and its past.
fn grow(repository: &Path) {
    let mut stream = String::new();
    for commit in 0..COMMITS {
        let _ = write!(stream, "commit refs/heads/main\ncommitter Ann <ann@example.com> {} +0000\ndata 2\nc\n", 1_780_000_000 + commit);
        if commit == 0 {
            stream.push_str("from refs/heads/main^0\n");
        }
        let files = if commit == 0 { 0..FILES } else { commit % FILES..commit % FILES + 1 };
        for file in files {
            let text = format!("# file {file}\nkind: Deployment\nmetadata:\n  name: app{file}\nspec:\n  tag: v{commit}\n");
            let _ = write!(stream, "M 100644 inline others/app{}/file{}.yaml\ndata {}\n{text}\n", file % 300, file / 300, text.len());
        }
    }
    let mut import = Command::new("git");
    import.args(["fast-import", "--quiet"]).current_dir(repository).stdin(Stdio::piped());
    let mut child = import.spawn().expect("git is installed");
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    git_in(repository, &["gc", "--quiet"]);
}

/// What was measured, by name, in the order of the first measurement.
#[derive(Default)]
struct Table {
    order: Vec<&'static str>,
    times: BTreeMap<&'static str, Vec<Duration>>,
    peaks: BTreeMap<&'static str, u64>,
    requests: BTreeMap<&'static str, Vec<String>>,
}

impl Table {
    fn time(&mut self, name: &'static str, took: Duration) {
        if !self.order.contains(&name) {
            self.order.push(name);
        }
        self.times.entry(name).or_default().push(took);
    }

    fn add(&mut self, name: &'static str, ran: &Ran) {
        self.time(name, ran.took);
        let peak = self.peaks.entry(name).or_default();
        *peak = ran.kilobytes.max(*peak);
        let shown = |it: &tomoda_release::rehearsal::stage::Entry| format!("{} {} {} {}", it.server, it.method, it.path, it.query);
        self.requests.insert(name, ran.requests.iter().map(shown).collect());
    }

    fn print(mut self) {
        println!("{:<42} {:>10} {:>10} {:>9}  requests of the last run", "", "median ms", "best ms", "peak MB");
        for name in self.order {
            let times = self.times.get_mut(name).expect("it was measured");
            times.sort();
            let peak = self.peaks.get(name).map_or_else(String::new, |it| format!("{:.1}", *it as f64 / 1024.0));
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for request in self.requests.get(name).into_iter().flatten() {
                *counts.entry(request.split(' ').next().unwrap_or_default()).or_default() += 1;
            }
            let counts: Vec<_> = counts.iter().map(|(server, count)| format!("{server} {count}")).collect();
            println!("{name:<42} {:>10.1} {:>10.1} {peak:>9}  {}", millis(times[times.len() / 2]), millis(times[0]), counts.join(", "));
        }
        if std::env::var_os("REQUESTS").is_some() {
            for (name, requests) in self.requests {
                println!("\n{name}\n  {}", requests.join("\n  "));
            }
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
