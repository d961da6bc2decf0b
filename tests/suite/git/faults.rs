//! Every fault a server can have, at every moment of a conversation.

use std::time::{Duration, Instant};

use tomoda_release::error::{Error, Kind};
use tomoda_release::io::git::{Expect, Limits, Network, Pushed, Store};
use tomoda_release::model::{CommitId, RefName};

use super::{main_ref, offline, store_with, write};
use crate::support::git_server::{Fault, GitServer, On};
use crate::support::repo::Bare;

const TOKEN: &str = "ghs_hunter2hunter2";

struct Bench {
    bare: Bare,
    server: GitServer,
    store: Store,
    _cache: tempfile::TempDir,
}

fn impatient() -> Network {
    let limits = Limits { connect: Duration::from_secs(2), idle: Duration::from_secs(4), total: Duration::from_secs(12) };
    Network { limits, ..offline() }
}

fn bench() -> Bench {
    let bare = Bare::with(&[("a.yaml", "one\n")]);
    let server = GitServer::start(bare.root());
    server.require(&format!("x-access-token:{TOKEN}"));
    let cache = tempfile::tempdir().unwrap();
    let store = store_with(&server.url(), Some(TOKEN), cache.path(), impatient());
    Bench { bare, server, store, _cache: cache }
}

/// A page of a proxy that quotes what it was sent, as bad ones do.
fn page(status: u16) -> Fault {
    Fault::Answer(status, vec![("Content-Type", "text/html; charset=utf-8".into())], "<html>ghs_hunter2hunter2</html>")
}

fn words(status: u16, text: &'static str) -> Fault {
    Fault::Answer(status, vec![("Content-Type", "text/plain".into())], text)
}

fn moved(to: String) -> Fault {
    Fault::Answer(302, vec![("Location", to)], "")
}

/// Every fault with the kind of error it has to become.
fn faults() -> Vec<(&'static str, Fault, Kind)> {
    vec![
        ("401 once", words(401, ""), Kind::RemoteFinal),
        ("403", words(403, "remote: Permission to x denied to bot."), Kind::RemoteFinal),
        ("404", words(404, "Not Found"), Kind::RemoteFinal),
        ("409", words(409, ""), Kind::RemoteFinal),
        ("429", words(429, ""), Kind::Remote),
        ("429 with a time", Fault::Answer(429, vec![("Retry-After", "7".into())], ""), Kind::Remote),
        ("403 with a time", Fault::Answer(403, vec![("Retry-After", "7".into())], ""), Kind::Remote),
        ("500", words(500, "oops"), Kind::Remote),
        ("502 as a page", page(502), Kind::Remote),
        ("503", words(503, ""), Kind::Remote),
        ("a login page", page(200), Kind::RemoteFinal),
        ("another type", Fault::Answer(200, vec![("Content-Type", "application/json".into())], "{}"), Kind::RemoteFinal),
        ("an empty answer", Fault::Answer(200, vec![], ""), Kind::RemoteFinal),
        ("elsewhere", moved("http://192.0.2.1/x.git/info/refs?service=git-upload-pack".into()), Kind::RemoteFinal),
        ("nowhere", Fault::Answer(302, vec![], ""), Kind::RemoteFinal),
        ("silence", Fault::Hang, Kind::Remote),
        ("a reset", Fault::ResetBefore, Kind::Remote),
        ("a reset afterwards", Fault::ResetAfter, Kind::Remote),
        ("half an answer", Fault::CutBody, Kind::Remote),
        (
            "nothing of an answer",
            Fault::Answer(200, vec![("Content-Type", "application/x-git-upload-pack-advertisement".into())], ""),
            Kind::Remote,
        ),
        (
            "nonsense",
            Fault::Answer(200, vec![("Content-Type", "application/x-git-upload-pack-advertisement".into())], "zzzz not a packet"),
            Kind::Remote,
        ),
    ]
}

fn everything(error: &Error) -> String {
    format!("{error} {error:?} {} {:?}", error.chain(), error.hint_text())
}

#[test]
fn every_fault_of_a_look_has_its_kind_and_passes() {
    let bench = bench();
    for (name, fault, kind) in faults() {
        bench.server.fault(On::FetchRefs, fault);
        let began = Instant::now();
        let error = bench.store.list("refs/heads/").expect_err(name);
        assert!(began.elapsed() < Duration::from_secs(20), "{name} took {:?}", began.elapsed());
        assert_eq!(error.kind(), kind, "{name}: {}", everything(&error));
        assert!(!everything(&error).contains("hunter2"), "{name}: {}", everything(&error));
        assert!(error.to_string().ends_with('.'), "{name}: {error}");
        assert_eq!(bench.store.list("refs/heads/").expect(name).len(), 1);
    }
}

#[test]
fn every_fault_of_a_fetch_leaves_a_cache_that_works() {
    let bench = bench();
    for on in [On::FetchRefs, On::Fetch] {
        for (name, fault, _) in faults() {
            bench.bare.commit("main", "news", &[("a.yaml", name)]);
            bench.server.fault(on, fault);
            let error = bench.store.fetch(&main_ref(), true).expect_err(name);
            assert!(!everything(&error).contains("hunter2"), "{name}: {}", everything(&error));
            let tip = bench.store.fetch(&main_ref(), true).expect(name).unwrap();
            assert_eq!(tip.as_str(), bench.bare.tip("refs/heads/main").unwrap(), "{name}");
        }
    }
}

/// A commit on top of what `main` is.
fn news(bench: &Bench, text: &str) -> (CommitId, Expect) {
    let tip = bench.store.fetch(&main_ref(), true).unwrap().unwrap();
    (write(&bench.store, &tip, "a.yaml", text), Expect::At(tip.object().clone()))
}

#[test]
fn a_push_is_never_reported_landed_when_it_did_not_and_never_lost_when_it_did() {
    let bench = bench();
    for on in [On::PushRefs, On::Push] {
        for (name, fault, _) in faults() {
            let (next, expect) = news(&bench, &format!("{on:?} {name}"));
            let arrived_anyway = on == On::Push && matches!(fault, Fault::ResetAfter | Fault::CutBody);
            bench.server.fault(on, fault);
            let began = Instant::now();
            let pushed = bench.store.push(next.object(), &main_ref(), &expect);
            assert!(began.elapsed() < Duration::from_secs(20), "{name} took {:?}", began.elapsed());
            let stands = bench.bare.tip("refs/heads/main").unwrap() == next.as_str();
            assert_eq!(stands, arrived_anyway, "{on:?} {name}");
            match &pushed {
                Ok(Pushed::Landed) => assert!(stands, "{on:?} {name}"),
                Ok(Pushed::Refused(words)) => {
                    assert!(!stands && (name.starts_with("401") || name == "403"), "{on:?} {name}: {words}");
                    assert!(!words.contains("hunter2"), "{words}");
                }
                Ok(Pushed::Lost(_)) => panic!("{on:?} {name} was no race"),
                Err(error) => {
                    assert!(!stands, "{on:?} {name}: {error}");
                    assert!(!everything(error).contains("hunter2"), "{}", everything(error));
                }
            }
        }
    }
}

#[test]
fn a_lost_answer_is_looked_for_once() {
    let bench = bench();
    let (next, expect) = news(&bench, "two\n");
    bench.server.fault(On::Push, Fault::ResetAfter);
    bench.server.requests();
    assert_eq!(bench.store.push(next.object(), &main_ref(), &expect).unwrap(), Pushed::Landed);
    let requests: Vec<_> = bench.server.requests().into_iter().map(|it| it.target).collect();
    assert_eq!(requests.len(), 3, "{requests:?}");
    // Asked again, the same push is done and sends nothing.
    assert_eq!(bench.store.push(next.object(), &main_ref(), &expect).unwrap(), Pushed::Landed);
    assert_eq!(bench.server.requests().len(), 1);
}

#[test]
fn an_outcome_that_nobody_knows_is_an_error() {
    let bench = bench();
    let (next, expect) = news(&bench, "two\n");
    bench.server.fault(On::Push, Fault::ResetAfter);
    bench.server.fault(On::FetchRefs, Fault::ResetBefore);
    let error = bench.store.push(next.object(), &main_ref(), &expect).unwrap_err();
    assert_eq!(error.kind(), Kind::Remote);
    assert!(error.hint_text().unwrap().contains("looked at again"), "{error:?}");
    assert_eq!(bench.store.push(next.object(), &main_ref(), &expect).unwrap(), Pushed::Landed);
}

#[test]
fn a_page_instead_of_the_answer_to_a_push_is_looked_behind() {
    let bench = bench();
    let (next, expect) = news(&bench, "two\n");
    bench.server.fault(On::Push, Fault::AnswerAfter(502, vec![("Content-Type", "text/html".into())], "<html>"));
    assert_eq!(bench.store.push(next.object(), &main_ref(), &expect).unwrap(), Pushed::Landed);
}

#[test]
fn a_missing_permission_is_a_refusal_with_the_servers_words() {
    let bench = bench();
    let (next, expect) = news(&bench, "two\n");
    for on in [On::PushRefs, On::Push] {
        bench.server.fault(on, words(403, "remote: Write access to repository not granted."));
        let Pushed::Refused(said) = bench.store.push(next.object(), &main_ref(), &expect).unwrap() else { panic!("{on:?}") };
        assert!(said.contains("Write access to repository not granted"), "{said}");
        assert!(said.contains("write access"), "{said}");
    }
}

#[test]
fn a_redirect_within_the_host_is_followed_and_the_push_goes_there() {
    let bench = bench();
    std::os::unix::fs::symlink(bench.bare.path(), bench.bare.root().join("old.git")).unwrap();
    let old = format!("{}/old.git", bench.server.origin());
    let cache = tempfile::tempdir().unwrap();
    let store = store_with(&old, Some(TOKEN), cache.path(), impatient());
    let to = |service: &str| moved(format!("/repo.git/info/refs?service={service}"));
    bench.server.fault(On::FetchRefs, to("git-upload-pack"));
    bench.server.fault(On::PushRefs, to("git-receive-pack"));
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let next = write(&store, &tip, "a.yaml", "two\n");
    assert_eq!(store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap(), Pushed::Landed);
    let posts: Vec<_> = bench.server.requests().into_iter().filter(|it| it.method == "POST").map(|it| it.target).collect();
    assert!(posts.iter().all(|it| it.starts_with("/repo.git/")), "{posts:?}");
}

#[test]
fn a_token_does_not_travel_to_another_host() {
    let bench = bench();
    let other = GitServer::start(bench.bare.root());
    bench.server.fault(On::FetchRefs, moved(format!("{}/info/refs?service=git-upload-pack", other.url())));
    let error = bench.store.list("refs/heads/").unwrap_err();
    assert!(error.to_string().contains("redirects elsewhere"), "{error}");
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn a_circle_of_redirects_ends() {
    let bench = bench();
    for _ in 0..10 {
        bench.server.fault(On::FetchRefs, moved("/repo.git/info/refs?service=git-upload-pack".into()));
    }
    let error = bench.store.list("refs/heads/").unwrap_err();
    assert!(error.to_string().contains("in a circle"), "{error}");
    assert!(bench.server.requests().len() <= 7);
}

#[test]
fn an_answer_that_never_ends_is_ended() {
    let bench = bench();
    let limits = Limits { total: Duration::from_secs(1), ..impatient().limits };
    let cache = tempfile::tempdir().unwrap();
    let store = store_with(&bench.server.url(), Some(TOKEN), cache.path(), Network { limits, ..impatient() });
    // git reads a first packet of 0x3333 bytes, and would for minutes.
    for on in [On::FetchRefs, On::Fetch] {
        bench.server.fault(on, Fault::Drip);
        let began = Instant::now();
        let error = store.fetch(&main_ref(), true).unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
        assert_eq!(error.kind(), Kind::Remote, "{error:?}");
    }
    // The same cache, with time enough for a busy machine.
    let store = store_with(&bench.server.url(), Some(TOKEN), cache.path(), impatient());
    assert!(store.fetch(&main_ref(), true).unwrap().is_some());
}

#[test]
fn a_store_works_beside_an_async_runtime() {
    let bench = bench();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let Bench { store, bare, .. } = bench;
    let server = bench.server;
    let found =
        runtime.block_on(async { tokio::task::spawn_blocking(move || store.fetch(&main_ref(), true)).await }).unwrap().unwrap().unwrap();
    assert_eq!(found.as_str(), bare.tip("refs/heads/main").unwrap());
    drop(server);
}

#[test]
fn nobody_listens() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cache = tempfile::tempdir().unwrap();
    let store = store_with(&format!("http://127.0.0.1:{port}/x.git"), Some(TOKEN), cache.path(), impatient());
    let error = store.list("refs/heads/").unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    let main = RefName::parse("refs/heads/main").unwrap();
    assert_eq!(store.fetch(&main, true).unwrap_err().kind(), Kind::Unreachable);
}
