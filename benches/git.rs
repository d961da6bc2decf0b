//! What git costs on a config repository of 4,500 files and 9,000 commits, served by `git http-backend`.
//!
//! Each line: what was done, the requests it took, and the median of several runs.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    missing_docs,
    dead_code,
    reason = "a benchmark prints"
)]

#[path = "../tests/suite/support/git_server.rs"]
mod git_server;
#[path = "../tests/suite/support/repo.rs"]
mod repo;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use git_server::GitServer;
use repo::Bare;
use tomoda_release::io::git::{Expect, FileChange, Network, NewCommit, Person, Pushed, Remote, Store};
use tomoda_release::model::{CommitId, RefName, RepoPath, RepoUrl};

const FILES: usize = 4_500;
const COMMITS: usize = 9_000;
const ROUNDS: usize = 15;

fn main() {
    let bare = config_repository();
    let server = GitServer::start(bare.root());
    let caches = tempfile::tempdir().unwrap();
    let main = RefName::parse("refs/heads/main").unwrap();
    println!("config repository: {FILES} files, {COMMITS} commits; git http-backend on the loopback");
    println!("{:<44} {:>8} {:>10} {:>10} {:>12}", "", "requests", "median ms", "worst ms", "in server ms");

    measure("cold shallow fetch", &server, ROUNDS, |round| {
        let store = store(&server, &caches.path().join(format!("cold{round}")));
        store.fetch(&main, true).unwrap().unwrap();
    });
    let warm = store(&server, &caches.path().join("warm"));
    let mut tip = warm.fetch(&main, true).unwrap().unwrap();
    measure("open a warm cache", &server, ROUNDS, |_| drop(store(&server, &caches.path().join("warm"))));
    measure("list of heads", &server, ROUNDS, |_| assert_eq!(warm.list("refs/heads/").unwrap().len(), 1));
    measure("fetch without news", &server, ROUNDS, |_| assert_eq!(warm.fetch(&main, true).unwrap().as_ref(), Some(&tip)));
    measure("commit, warm cache", &server, ROUNDS, |round| {
        change(&warm, &tip, round + 1000);
    });
    measure("commit and push, warm cache", &server, ROUNDS, |round| {
        let next = change(&warm, &tip, round);
        let expect = Expect::At(tip.object().clone());
        assert_eq!(warm.push(next.object(), &main, &expect).unwrap(), Pushed::Landed);
        tip = next;
    });
    let ledger = RefName::parse("refs/heads/release-ledger").unwrap();
    let mut record: Option<CommitId> = None;
    measure("ledger record, then overlay commit", &server, ROUNDS, |round| {
        let files = [FileChange { path: RepoPath::parse("record.json").unwrap(), bytes: format!("{{\"seq\":{round}}}").into_bytes() }];
        let by = person();
        let next = warm.commit(&NewCommit { parent: record.as_ref(), files: &files, alone: true, by: &by, message: "record" }).unwrap();
        let expect = record.as_ref().map_or(Expect::Absent, |it| Expect::At(it.object().clone()));
        assert_eq!(warm.push(next.object(), &ledger, &expect).unwrap(), Pushed::Landed);
        record = Some(next);
        let next = change(&warm, &tip, round + 2000);
        assert_eq!(warm.push(next.object(), &main, &Expect::At(tip.object().clone())).unwrap(), Pushed::Landed);
        tip = next;
    });
    measure("shallow fetch of one new commit", &server, ROUNDS, |round| {
        bare.commit("main", "news", &[("apps/app7/file3.yaml", &format!("tag: news{round}\n"))]);
        tip = warm.fetch(&main, true).unwrap().unwrap();
    });
    measure("cold full fetch", &server, 3, |round| {
        let store = store(&server, &caches.path().join(format!("full{round}")));
        store.fetch(&main, false).unwrap().unwrap();
    });
    let full = store(&server, &caches.path().join("full0"));
    let top = full.fetch(&main, false).unwrap().unwrap();
    measure("history of all commits", &server, 3, |_| assert!(full.history(&top, &[], usize::MAX).unwrap().len() > COMMITS));
    let first = full.history(&top, &[], usize::MAX).unwrap().pop().unwrap().id;
    let paths = [RepoPath::parse("apps/app7").unwrap()];
    measure("commits touching a folder, in all history", &server, 3, |_| {
        full.commits_touching(&first, &top, &paths).unwrap();
    });
    measure("full fetch of one new commit", &server, ROUNDS, |round| {
        bare.commit("main", "news", &[("apps/app8/file3.yaml", &format!("tag: more{round}\n"))]);
        full.fetch(&main, false).unwrap().unwrap();
    });
    let began = Instant::now();
    bare.git(&["log", "--format=%H", "main", "--", "apps/app7"]);
    println!("(git log of that folder: {:.1} ms)", began.elapsed().as_secs_f64() * 1000.0);
    println!("connections in all: {}", server.connections());
}

fn measure(what: &str, server: &GitServer, rounds: usize, mut act: impl FnMut(usize)) {
    server.requests();
    server.busy();
    let mut times: Vec<Duration> = (0..rounds)
        .map(|round| {
            let began = Instant::now();
            act(round);
            began.elapsed()
        })
        .collect();
    let requests = server.requests().len();
    times.sort();
    let ms = |it: Duration| it.as_secs_f64() * 1000.0;
    let served = ms(server.busy()) / rounds as f64;
    println!(
        "{what:<44} {:>8.1} {:>10.1} {:>10.1} {served:>12.1}",
        requests as f64 / rounds as f64,
        ms(times[rounds / 2]),
        ms(times[rounds - 1])
    );
}

fn store(server: &GitServer, cache: &Path) -> Store {
    let remote = Remote { url: RepoUrl::parse(&server.url()).unwrap(), token: None };
    Store::open_through(remote, cache, Network::read(&|_| None)).unwrap()
}

fn person() -> Person {
    Person { name: "Bot".into(), email: "bot@example.com".into(), time: 1_800_000_000 }
}

fn change(store: &Store, parent: &CommitId, round: usize) -> CommitId {
    let files = [FileChange { path: RepoPath::parse("apps/app7/file3.yaml").unwrap(), bytes: format!("tag: v{round}\n").into_bytes() }];
    store.commit(&NewCommit { parent: Some(parent), files: &files, alone: false, by: &person(), message: "bump\n" }).unwrap()
}

fn config_repository() -> Bare {
    let bare = Bare::empty();
    let mut stream = String::new();
    let path = |file: usize| format!("apps/app{}/file{}.yaml", file % 300, file / 300);
    for commit in 0..COMMITS {
        let _ = write!(stream, "commit refs/heads/main\ncommitter Ann <ann@example.com> {} +0000\ndata 2\nc\n", 1_700_000_000 + commit);
        let files = if commit == 0 { 0..FILES } else { commit % FILES..commit % FILES + 1 };
        for file in files {
            let text =
                format!("# file {file} of a config repository\nkind: Deployment\nmetadata:\n  name: app{file}\nspec:\n  tag: v{commit}\n");
            let _ = write!(stream, "M 100644 inline {}\ndata {}\n{text}\n", path(file), text.len());
        }
    }
    bare.import(stream.as_bytes());
    bare.git(&["gc", "-q"]);
    bare
}
