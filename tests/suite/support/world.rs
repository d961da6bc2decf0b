//! A rehearsal world for tests: as a process of its own (what users have), or inside the test (what can be looked into).

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use tomoda_release::rehearsal::{Options, Pace, World};

/// `rehearse --output json` as a process. It is told to end when dropped.
pub(crate) struct Rehearsal {
    child: Child,
    /// The line it printed.
    pub(crate) described: Value,
    /// An empty home for the commands that are run.
    pub(crate) home: TempDir,
}

impl Rehearsal {
    /// Starts one, with further arguments, and waits for its line.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("tmp")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tomoda-release"));
        clean(&mut command, home.path());
        command.args(["rehearse", "--output", "json"]).args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let described = serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: {line:?}"));
        Self { child, described, home }
    }

    /// One of its addresses.
    pub(crate) fn url(&self, name: &str) -> &str {
        self.described["urls"][name].as_str().unwrap()
    }

    /// A program that sees this world and nothing else of this machine.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        clean(&mut command, self.home.path());
        for (name, value) in self.described["env"].as_object().unwrap() {
            command.env(name, value.as_str().unwrap());
        }
        command
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None if Instant::now() > deadline => panic!("the rehearsal did not end"),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let pid = self.child.id().to_string();
            Command::new("kill").args(["-TERM", &pid]).status().ok();
            self.child.wait().ok();
        }
    }
}

/// Takes everything of this machine away from a program, but not the programs it may call.
pub(crate) fn clean(command: &mut Command, home: &Path) {
    command.env_clear();
    for kept in ["PATH", "LD_LIBRARY_PATH"] {
        command.envs(std::env::var_os(kept).map(|it| (kept, it)));
    }
    command.env("HOME", home).env("TMPDIR", home.join("tmp")).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
}

/// A world inside this test in which nothing takes time.
pub(crate) async fn instant() -> World {
    world(Pace::instant()).await
}

/// A world inside this test. Its seed is printed, so that a failure can be had again.
pub(crate) async fn world(pace: Pace) -> World {
    rustls::crypto::ring::default_provider().install_default().ok();
    let world = World::start(Options { seed: None, pace }).await.unwrap();
    println!("seed {}", world.seed);
    world
}

/// Waits until something is true, with a deadline.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Runs git in a folder; panics with what it said when it fails.
pub(crate) fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = git_command(dir, arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A git command with an identity and nothing else of this machine's configuration.
pub(crate) fn git_command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    clean(&mut command, dir);
    command.args(["-c", "user.name=Tester", "-c", "user.email=tester@example.com"]).args(arguments).current_dir(dir);
    command
}

/// Whether a program is here. Under `TOMODA_REAL=1` it has to be.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    assert!(found || std::env::var("TOMODA_REAL").as_deref() != Ok("1"), "{program} is not installed");
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}
