//! Tokens, certificates, proxies, and what a push costs.

use std::path::Path;
use std::thread;

use tomoda_release::error::Kind;
use tomoda_release::io::git::{Expect, Network, Pushed};
use tomoda_release::model::Secret;

use super::{main_ref, offline, store, store_with, write};
use crate::support::git_server::GitServer;
use crate::support::proxy::Proxy;
use crate::support::repo::Bare;
use crate::support::tls::Authority;

#[test]
fn a_push_from_a_warm_cache_is_two_requests_on_a_kept_connection() {
    let bare = Bare::with(&[("a", "one\n")]);
    let server = GitServer::start(bare.root());
    server.require("x-access-token:t");
    let cache = tempfile::tempdir().unwrap();
    let store = store_with(&server.url(), Some("t"), cache.path(), offline());
    let mut tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let made = server.connections();
    for round in 0..5 {
        let next = write(&store, &tip, "a", &format!("{round}\n"));
        server.requests();
        assert_eq!(store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap(), Pushed::Landed);
        let requests: Vec<_> = server.requests().into_iter().map(|it| (it.method, it.target)).collect();
        assert_eq!(requests.len(), 2, "{requests:?}");
        tip = next;
        // What was pushed is known: a look costs the announcement and nothing else.
        assert_eq!(store.fetch(&main_ref(), true).unwrap().as_ref(), Some(&tip));
        assert_eq!(server.requests().len(), 1);
    }
    store.list("refs/").unwrap();
    assert_eq!(server.requests().len(), 1);
    // Another store of this process uses the same connection.
    let other = tempfile::tempdir().unwrap();
    store_with(&server.url(), Some("t"), other.path(), offline()).list("refs/").unwrap();
    assert_eq!(server.connections(), made, "connections are kept");
}

#[test]
fn requests_look_like_gits_and_name_this_program() {
    let bare = Bare::with(&[("a", "one\n")]);
    let server = GitServer::start(bare.root());
    let cache = tempfile::tempdir().unwrap();
    store(&server.url(), cache.path()).list("refs/").unwrap();
    let request = server.requests().remove(0);
    assert!(request.header("user-agent").unwrap().starts_with("git/2 (tomoda-release/"), "{request:?}");
    assert_eq!(request.header("authorization"), None);
}

#[test]
fn every_store_sends_its_own_token_and_nobody_elses() {
    let bares: Vec<_> = (0..4).map(|_| Bare::with(&[("a", "one\n")])).collect();
    let servers: Vec<_> = bares.iter().map(|it| GitServer::start(it.root())).collect();
    for (number, server) in servers.iter().enumerate() {
        server.require(&format!("x-access-token:token{number}"));
    }
    thread::scope(|scope| {
        for (number, server) in servers.iter().enumerate() {
            scope.spawn(move || {
                let cache = tempfile::tempdir().unwrap();
                let store = store_with(&server.url(), Some(&format!("token{number}")), cache.path(), offline());
                for _ in 0..10 {
                    assert_eq!(store.list("refs/heads/").unwrap().len(), 1);
                }
                assert!(store.fetch(&main_ref(), true).unwrap().is_some());
            });
        }
    });
    let cache = tempfile::tempdir().unwrap();
    let error = store_with(&servers[0].url(), Some("token1"), cache.path(), offline()).list("refs/").unwrap_err();
    assert_eq!(error.kind(), Kind::RemoteFinal);
    assert!(error.to_string().contains("does not accept the token") && !error.chain().contains("token1"), "{}", error.chain());
    let error = store(&servers[0].url(), cache.path()).list("refs/").unwrap_err();
    assert!(error.to_string().contains("asks for a token"), "{error}");
}

#[test]
fn the_credentials_of_an_address_are_used_and_stay_out_of_sight() {
    let bare = Bare::with(&[("a", "one\n")]);
    let server = GitServer::start(bare.root());
    server.require("bot:hunter2/x");
    let cache = tempfile::tempdir().unwrap();
    let url = format!("http://bot:hunter2%2Fx@{}/repo.git", server.authority());
    let store = store_with(&url, None, cache.path(), offline());
    let tip = store.fetch(&main_ref(), false).unwrap().unwrap();
    let next = write(&store, &tip, "a", "two\n");
    assert_eq!(store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap(), Pushed::Landed);
    server.require("bot:other");
    let error = store.list("refs/").unwrap_err();
    assert!(!format!("{} {error:?} {store:?}", error.chain()).contains("hunter2"), "{error:?} {store:?}");
    for file in files(cache.path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(7).any(|it| it == b"hunter2"), "{}", file.display());
        assert!(!file.to_string_lossy().contains("hunter2"), "{}", file.display());
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_private_authority_is_trusted_when_named_and_only_then() {
    let authority = Authority::new();
    let bare = Bare::with(&[("a", "one\n")]);
    let server = GitServer::start_tls(bare.root(), authority.server());
    let cache = tempfile::tempdir().unwrap();
    let trusting = Network { ca_file: Some(authority.ca_file()), ..offline() };
    let store = store_with(&server.url(), Some("t"), cache.path(), trusting);
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let next = write(&store, &tip, "a", "two\n");
    assert_eq!(store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap(), Pushed::Landed);

    for network in [offline(), Network { ca_file: Some(Authority::new().ca_file()), ..offline() }] {
        let cache = tempfile::tempdir().unwrap();
        let store = store_with(&server.url(), Some("t"), cache.path(), network);
        server.requests();
        let error = store.list("refs/").unwrap_err();
        assert_eq!(server.requests().len(), 0, "nothing is said to a stranger");
        assert!(matches!(error.kind(), Kind::RemoteFinal | Kind::Config), "{error:?}");
        assert!(error.hint_text().unwrap().contains("GIT_SSL_CAINFO"), "{error:?}");
    }
}

#[test]
fn a_certificate_file_that_holds_none_is_a_wrong_setting() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for ca_file in [empty, folder.path().join("absent.pem")] {
        let store = store_with("https://127.0.0.1:1/x.git", None, folder.path(), Network { ca_file: Some(ca_file), ..offline() });
        let error = store.list("refs/").unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{error:?}");
    }
}

#[test]
fn proxies_are_used_for_both_schemes_and_passed_by_where_exempt() {
    let authority = Authority::new();
    let bare = Bare::with(&[("a", "one\n")]);
    let plain = GitServer::start(bare.root());
    let secure = GitServer::start_tls(bare.root(), authority.server());
    let proxy = Proxy::start(None);
    let network = Network {
        ca_file: Some(authority.ca_file()),
        http_proxy: Some(Secret::new(proxy.authority())),
        https_proxy: Some(Secret::new(format!("http://{}", proxy.authority()))),
        ..offline()
    };
    let cache = tempfile::tempdir().unwrap();
    store_with(&plain.url(), None, cache.path(), network.clone()).list("refs/").unwrap();
    assert_eq!(proxy.seen().len(), 1, "{:?}", proxy.seen());
    assert!(proxy.seen()[0].starts_with("GET http://127.0.0.1"), "{:?}", proxy.seen());
    let store = store_with(&secure.url(), Some("hunter2"), cache.path(), network.clone());
    assert!(store.fetch(&main_ref(), true).unwrap().is_some());
    assert_eq!(proxy.seen()[1], format!("CONNECT {} HTTP/1.1", secure.authority()));
    assert_eq!(proxy.seen().len(), 2, "the connection through the proxy is kept");
    let exempt = Network { no_proxy: Some("localhost,127.0.0.1".into()), ..network };
    store_with(&plain.url(), None, cache.path(), exempt).list("refs/").unwrap();
    assert_eq!(proxy.seen().len(), 2);
}

#[test]
fn a_proxy_that_wants_a_password_gets_it_or_is_named() {
    let authority = Authority::new();
    let bare = Bare::with(&[("a", "one\n")]);
    let secure = GitServer::start_tls(bare.root(), authority.server());
    let proxy = Proxy::start(Some("dTpodW50ZXIy"));
    let through = |address: String| Network { ca_file: Some(authority.ca_file()), https_proxy: Some(Secret::new(address)), ..offline() };
    let cache = tempfile::tempdir().unwrap();
    let right = through(format!("http://u:hunter2@{}", proxy.authority()));
    store_with(&secure.url(), None, cache.path(), right).list("refs/").unwrap();
    let wrong = through(format!("http://u:hunter3@{}", proxy.authority()));
    let error = store_with(&secure.url(), None, cache.path(), wrong).list("refs/").unwrap_err();
    assert!(!format!("{} {error:?}", error.chain()).contains("hunter"), "{error:?}");
    assert!(error.chain().contains("proxy"), "{}", error.chain());
}
