//! The Kubernetes API and HTTP probes under faults: each is told apart, in a sentence, in bounded time, without a secret.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tomoda_release::error::Kind;
use tomoda_release::io::kube::{Cluster, Collection};
use tomoda_release::io::probe;
use tomoda_release::model::{ApplicationName, Ask, Asked, Seen};
use tomoda_release::observe::{argo, workloads};

use crate::support::tls::Authority;

const TOKEN: &str = "s3cr3t-t0k3n";
const WITHIN: Duration = Duration::from_millis(700);

/// What the stand-in does with a connection once it has read a request.
#[derive(Clone)]
enum Reply {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// Nothing, for a long time.
    Silence,
}

/// A server that gives every request the same reply and hands the requests out.
fn stand_in(reply: Reply) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, reply, sender) = (stream.unwrap(), reply.clone(), sender.clone());
            std::thread::spawn(move || {
                let mut request = Vec::new();
                let mut buffer = [0; 8192];
                while !is_whole(&request) {
                    match stream.read(&mut buffer) {
                        Ok(0) | Err(_) => break,
                        Ok(read) => request.extend_from_slice(&buffer[..read]),
                    }
                }
                sender.send(String::from_utf8_lossy(&request).into_owned()).ok();
                match reply {
                    Reply::Bytes(bytes) => drop(stream.write_all(&bytes)),
                    // Until the client goes away.
                    Reply::Silence => drop(stream.read(&mut buffer)),
                }
            });
        }
    });
    (address, requests)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|it| it.to_lowercase().strip_prefix("content-length:").map(|it| it.trim().parse::<usize>().unwrap()));
    body.len() >= length.unwrap_or_default()
}

fn answer(status: &str, kind: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").into_bytes(),
    )
}

fn status(code: u16, reason: &str, message: &str) -> Reply {
    let body =
        format!(r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","code":{code},"reason":"{reason}","message":"{message}"}}"#);
    answer(&format!("{code} {reason}"), "application/json", &body)
}

async fn cluster(address: &str, scheme: &str, user: &str) -> tomoda_release::error::Result<Cluster> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: '{scheme}://{address}'}}}}]\n\
         users: [{{name: u, user: {user}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
    );
    std::fs::write(&file, text).unwrap();
    Cluster::from_file(&file).await.map(|it| it.within(WITHIN))
}

async fn with_token(address: &str, scheme: &str) -> Cluster {
    rustls::crypto::ring::default_provider().install_default().ok();
    cluster(address, scheme, &format!("{{token: {TOKEN}}}")).await.unwrap()
}

#[tokio::test]
async fn every_fault_has_its_kind_and_its_sentence() {
    let huge = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(17 << 20));
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"metadata\":";
    let faults = [
        ("401", status(401, "Unauthorized", "Unauthorized"), Kind::RemoteFinal, "does not accept our credentials"),
        (
            "403",
            status(403, "Forbidden", "User x cannot get resource"),
            Kind::RemoteFinal,
            "does not allow reading web (403: User x cannot",
        ),
        ("no such API", status(404, "NotFound", "the server could not find the requested resource"), Kind::RemoteFinal, "no such API"),
        ("404 of a proxy", answer("404 Not Found", "text/html", "<html>"), Kind::RemoteFinal, "not from Kubernetes"),
        ("409", status(409, "Conflict", "the object has been modified"), Kind::RemoteFinal, "answered 409"),
        ("429", status(429, "TooManyRequests", "slow down"), Kind::Remote, "answered 429"),
        (
            "500",
            answer("500 Oops", "text/html", "<html><body>secret inner page</body></html>"),
            Kind::Remote,
            "the answer is not from Kubernetes",
        ),
        ("503", status(503, "ServiceUnavailable", "etcd is away"), Kind::Remote, "etcd is away"),
        ("not JSON", answer("200 OK", "text/html", "<html>Sign in</html>"), Kind::Remote, "did not answer with JSON"),
        ("slow", Reply::Silence, Kind::Remote, "did not answer within 0.7 s"),
        ("cut", Reply::Bytes(cut.as_bytes().to_vec()), Kind::Remote, "broke off"),
        ("reset", Reply::Bytes(Vec::new()), Kind::Remote, "cannot be reached"),
        ("huge", Reply::Bytes(huge.into_bytes()), Kind::RemoteFinal, "more than 16 MiB"),
        ("redirected", answer("302 Found", "text/html", ""), Kind::RemoteFinal, "answered 302"),
    ];
    for (name, reply, kind, words) in faults {
        let (address, requests) = stand_in(reply);
        let cluster = with_token(&address, "http").await.within(if name == "huge" { Duration::from_secs(20) } else { WITHIN });
        let began = Instant::now();
        let why = cluster.get(&deployments(), "web").await.expect_err(name);
        assert!(began.elapsed() < Duration::from_secs(20), "{name} took {:?}", began.elapsed());
        assert_eq!(why.kind(), kind, "{name}: {}", why.chain());
        assert!(why.chain().contains(words), "{name}: {}", why.chain());
        assert!(!why.chain().contains(TOKEN) && !why.chain().contains("secret inner page"), "{name}: {}", why.chain());
        assert!(requests.try_iter().count() == 1, "{name}: one look is one request");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_and_one_that_nobody_trusts_are_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let why = with_token(&closed.to_string(), "http").await.get(&deployments(), "web").await.unwrap_err();
    assert!(why.kind() == Kind::Unreachable && why.to_string().contains("cannot be reached"), "{}", why.chain());

    let plain = speak(|stream| drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\nspeak http")));
    let why = with_token(&plain, "https").await.get(&deployments(), "web").await.unwrap_err();
    assert!(why.kind() == Kind::RemoteFinal && why.to_string().contains("does not speak TLS"), "{}", why.chain());

    let config = Authority::new().server();
    let untrusted = speak(move |stream| {
        let mut connection = rustls::ServerConnection::new(config.clone()).unwrap();
        connection.complete_io(stream).ok();
    });
    let why = with_token(&untrusted, "https").await.get(&deployments(), "web").await.unwrap_err();
    assert!(why.kind() == Kind::RemoteFinal && why.to_string().contains("is not trusted"), "{}", why.chain());
}

/// A server that does this with each connection before it reads anything.
fn speak(what: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            what(&mut stream.unwrap());
        }
    });
    address
}

#[tokio::test]
async fn what_is_not_there_is_not_what_cannot_be_seen() {
    let missing = status(404, "NotFound", r#"deployments.apps \"web\" not found"#);
    let (address, _requests) = stand_in(missing);
    let cluster = with_token(&address, "http").await;
    assert_eq!(workloads::fetch(&cluster, "prod", "web").await, Seen::Known(None));
    let Seen::Unknown(why) = argo::fetch(&cluster, "argocd", &ApplicationName::parse("web").unwrap()).await else { panic!() };
    assert_eq!(why.why, "There is no Application web in the namespace argocd.");
    let Seen::Unknown(why) = workloads::fetch(&cluster, "../../secrets", "web").await else { panic!() };
    assert!(why.why.contains("not the name of a Kubernetes namespace"), "{why}");
}

#[tokio::test]
async fn a_refresh_is_asked_for_only_at_the_version_that_was_seen() {
    let ask = Ask::Refresh {
        application: ApplicationName::parse("web").unwrap(),
        namespace: "argocd".to_owned(),
        resource_version: "7".to_owned(),
    };
    let asked = |reply| {
        let ask = ask.clone();
        async move {
            let (address, requests) = stand_in(reply);
            (argo::ask(&with_token(&address, "http").await, &ask).await.unwrap(), requests.recv().unwrap())
        }
    };
    let (set, request) = asked(answer("200 OK", "application/json", r#"{"metadata":{"resourceVersion":"8"}}"#)).await;
    assert_eq!(set, Asked::Set { resource_version: "8".to_owned() });
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("PATCH /apis/argoproj.io/v1alpha1/namespaces/argocd/applications/web?"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/merge-patch+json"), "{head}");
    assert_eq!(body, r#"{"metadata":{"resourceVersion":"7","annotations":{"argocd.argoproj.io/refresh":"normal"}}}"#);
    assert_eq!(asked(status(409, "Conflict", "the object has been modified")).await.0, Asked::Lost);
    let (Asked::Refused { why }, _) = asked(status(403, "Forbidden", "cannot patch")).await else { panic!() };
    assert!(why.contains("cannot patch"), "{why}");
}

#[tokio::test]
async fn a_plugin_that_logs_in_never_shows_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = |name: &str, text: &str| script(folder.path(), name, text);
    let exec = |path: &str| format!("{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: '{path}', interactiveMode: Never}}}}");
    let (address, requests) = stand_in(status(404, "NotFound", "no web"));

    let good = plugin(
        "good",
        &format!(r#"echo '{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"{TOKEN}"}}}}'"#),
    );
    cluster(&address, "http", &exec(&good)).await.unwrap().get(&deployments(), "web").await.unwrap();
    assert!(requests.recv().unwrap().to_lowercase().contains(&format!("authorization: bearer {TOKEN}")));

    let bad = plugin("bad", &format!("echo {TOKEN}; echo 'please log in' >&2; exit 3"));
    let why = cluster(&address, "http", &exec(&bad)).await.err().unwrap();
    assert!(why.chain().contains("please log in") && !why.chain().contains(TOKEN), "{}", why.chain());
    let why = cluster(&address, "http", &exec("/nowhere/plugin")).await.err().unwrap();
    assert!(why.chain().contains("cannot be started"), "{}", why.chain());
}

fn script(folder: &Path, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_probe_is_an_answer_or_a_reason() {
    let (address, requests) = stand_in(answer("302 Found\r\nlocation: http://127.0.0.1:1/elsewhere", "text/plain", ""));
    let it = probe::get(&format!("http://{address}/health")).await.unwrap();
    assert_eq!((it.status, requests.try_iter().count()), (302, 1), "a redirect is an answer, and not followed");

    let (address, _requests) = stand_in(Reply::Bytes(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1 << 20)).into_bytes()));
    assert_eq!(probe::get(&format!("http://{address}/")).await.unwrap().body.len(), 64 << 10);

    let (address, _requests) = stand_in(Reply::Silence);
    let why = probe::get_within(&format!("http://bot:hunter2@{address}/?key=hunter2"), WITHIN).await.unwrap_err();
    assert!(why.chain().contains("did not answer within 0.7 s") && !why.chain().contains("hunter2"), "{}", why.chain());

    let (address, _requests) = stand_in(Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec()));
    let why = probe::get(&format!("http://{address}/")).await.unwrap_err();
    assert!(why.chain().contains("broke off"), "{}", why.chain());

    let why = probe::get("http://does-not-exist.invalid/?key=hunter2").await.unwrap_err();
    assert!(why.kind() == Kind::Unreachable && !why.chain().contains("hunter2"), "{}", why.chain());
}

fn deployments() -> Collection {
    Collection::new("apps/v1", "prod", "deployments").unwrap()
}
