//! Registries: listing, resolving, logging in, against a scripted server that counts requests and misbehaves,
//! and against a real one where it is installed.

use std::{collections::BTreeMap, process::Command, sync::Arc, time::Duration};

use sha2::{Digest as _, Sha256};
use tomoda_release::io::http::Limits;
use tomoda_release::model::{Listing, RegistryAuth, RegistrySettings, Repository, SecretRef, Seen, Tag};
use tomoda_release::observe::registry::Registry;

use crate::support::scripted::{Reply, Scripted, say};

/// Limits that no answer of a busy machine meets by accident.
fn patient() -> Limits {
    Limits {
        connect: Duration::from_secs(10),
        idle: Duration::from_secs(20),
        attempt: Duration::from_secs(20),
        total: Duration::from_secs(40),
        attempts: 3,
        pause: Duration::from_millis(2),
        body: 256 * 1024,
    }
}

/// Limits under which a server that is silent for ever shows in well under a second.
fn quick() -> Limits {
    Limits { idle: Duration::from_millis(150), attempt: Duration::from_millis(250), total: Duration::from_millis(900), ..patient() }
}

/// The limits to meet a server with that answers like this.
fn limits(reply: &Reply) -> Limits {
    if matches!(reply, Reply::Silent | Reply::Quiet) { quick() } else { patient() }
}

fn registry() -> Registry {
    Registry::with_limits(patient()).unwrap()
}

fn settings(server: &Scripted, auth: RegistryAuth) -> RegistrySettings {
    RegistrySettings { host: "registry.example".to_owned(), endpoint: Some(server.url.clone()), auth }
}

fn image(name: &str) -> Repository {
    Repository::parse(name).unwrap()
}

async fn list(server: &Scripted) -> Seen<Listing> {
    list_within(patient(), server).await
}

async fn list_within(limits: Limits, server: &Scripted) -> Seen<Listing> {
    Registry::with_limits(limits).unwrap().list(&settings(server, RegistryAuth::Anonymous), &image("registry.example/team/app")).await
}

/// The same, of a name that Google's rules hold for.
async fn list_google(server: &Scripted) -> Seen<Listing> {
    registry().list(&settings(server, RegistryAuth::Anonymous), &image("asia-docker.pkg.dev/p/r/app")).await
}

fn names(listing: &Listing) -> Vec<&str> {
    listing.tags.iter().map(|it| it.tag.as_str()).collect()
}

fn known<T>(seen: Seen<T>) -> T {
    match seen {
        Seen::Known(it) => it,
        Seen::Unknown(why) => panic!("not seen: {why}"),
    }
}

fn why<T: std::fmt::Debug>(seen: Seen<T>) -> String {
    match seen {
        Seen::Known(it) => panic!("seen: {it:?}"),
        Seen::Unknown(why) => why.why,
    }
}

fn tags(names: &[&str]) -> Reply {
    say(200, serde_json::json!({ "name": "team/app", "tags": names }).to_string())
}

fn digest(byte: u8) -> String {
    format!("sha256:{}", format!("{byte:02x}").repeat(32))
}

#[tokio::test]
async fn a_listing_follows_its_pages_and_counts_them() {
    let server = Scripted::start(|_, before| match before {
        0 => tags(&["a", "b"]).with("link", "</v2/team/app/tags/list?n=1000&last=b>; rel=\"next\""),
        1 => tags(&["c"]).with("link", "</v2/team/app/tags/list?n=1000&last=c>; rel=\"next\""),
        _ => tags(&["d"]),
    });
    let listing = known(list(&server).await);
    assert_eq!((names(&listing), listing.requests), (vec!["a", "b", "c", "d"], 3));
    let targets: Vec<String> = server.asked().into_iter().map(|it| it.target).collect();
    assert_eq!(targets[0], "/v2/team/app/tags/list?n=1000", "no ping before");
    assert_eq!(targets[2], "/v2/team/app/tags/list?n=1000&last=c");
}

#[tokio::test]
async fn an_absolute_link_keeps_its_port() {
    let server = Scripted::start(|asked, before| match before {
        0 => tags(&["a"]).with("link", &format!("<http://{}/v2/team/app/tags/list?last=a>; rel=\"next\"", asked.header("host").unwrap())),
        _ => tags(&["b"]),
    });
    assert_eq!(names(&known(list(&server).await)), ["a", "b"]);
}

#[tokio::test]
async fn a_link_elsewhere_is_an_error_and_gets_no_credentials() {
    let thief = Scripted::start(|_, _| tags(&["b"]));
    let target = thief.url.clone();
    let server = Scripted::start(move |_, _| tags(&["a"]).with("link", &format!("<{target}/v2/team/app/tags/list>; rel=\"next\"")));
    assert!(why(list(&server).await).contains("not the same server"));
    assert_eq!((server.count(), thief.count()), (1, 0));
}

#[tokio::test]
async fn a_listing_that_never_ends_is_an_error() {
    let itself = Scripted::start(|asked, _| tags(&["a"]).with("link", &format!("<{}>; rel=\"next\"", asked.target)));
    assert!(why(list(&itself).await).contains("read already"));
    assert_eq!(itself.count(), 1);
    let on_and_on =
        Scripted::start(|_, before| tags(&["a"]).with("link", &format!("</v2/team/app/tags/list?last={before}>; rel=\"next\"")));
    assert!(why(list(&on_and_on).await).contains("nothing new"));
    assert_eq!(on_and_on.count(), 2);
}

#[tokio::test]
async fn a_full_page_without_a_link_is_the_whole_list() {
    let server = Scripted::start(|_, _| {
        let names: Vec<String> = (0..1000).map(|it| format!("t{it}")).collect();
        tags(&names.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let listing = known(list(&server).await);
    assert_eq!((listing.tags.len(), server.count()), (1000, 1));
}

#[tokio::test]
async fn google_is_asked_once_and_not_believed_when_it_may_have_left_some_out() {
    let server = Scripted::start(|_, before| {
        let names: Vec<String> = (0..9_999 + before).map(|it| format!("t{it}")).collect();
        tags(&names.iter().map(String::as_str).collect::<Vec<_>>())
    });
    assert_eq!(known(list_google(&server).await).tags.len(), 9_999);
    assert_eq!(server.asked()[0].target, "/v2/p/r/app/tags/list?n=10000");
    assert!(why(list_google(&server).await).contains("possibly truncated"));
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn digests_and_upload_times_come_with_the_listing() {
    let server = Scripted::start(|_, before| {
        let time = |ms: i64| if before == 0 { serde_json::json!(ms.to_string()) } else { serde_json::json!(ms) };
        let body = serde_json::json!({
            "child": [], "name": "p/r/app", "tags": ["v1", "latest", "old", "bare", ".bad"],
            "manifest": {
                digest(1): { "tag": ["v1", "latest"], "timeUploadedMs": time(1_700_000_001_000), "timeCreatedMs": time(0), "imageSizeBytes": "7" },
                digest(2): { "tag": ["old"], "timeUploadedMs": time(0), "timeCreatedMs": time(-1), "layerId": "" },
                digest(3): { "tag": [], "timeUploadedMs": time(1) },
            },
        });
        say(200, body.to_string())
    });
    for _ in 0..2 {
        let listing = known(list_google(&server).await);
        let found: BTreeMap<&str, _> = listing.tags.iter().map(|it| (it.tag.as_str(), it)).collect();
        assert_eq!(found.len(), 4, "a name that no registry accepts is nobody's tag");
        assert_eq!(found["v1"].digest.as_ref().unwrap().as_str(), digest(1));
        assert_eq!(found["v1"].uploaded.unwrap().to_string(), "2023-11-14T22:13:21Z");
        assert_eq!((&found["latest"].digest, found["latest"].uploaded), (&found["v1"].digest, found["v1"].uploaded));
        assert_eq!((found["old"].uploaded, found["bare"].uploaded), (None, None));
        assert_eq!(found["bare"].digest, None);
    }
}

#[tokio::test]
async fn pages_with_manifests_are_merged_and_a_tag_is_one_image() {
    let page =
        |tag: &str, byte: u8| say(200, serde_json::json!({ "tags": [tag], "manifest": { digest(byte): { "tag": [tag] } } }).to_string());
    let server = Scripted::start(move |_, before| match before {
        0 => page("a", 1).with("link", "</v2/p/r/app/tags/list?last=a>; rel=\"next\""),
        _ => page("b", 1),
    });
    let listing = known(list_google(&server).await);
    assert!(listing.tags.iter().all(|it| it.digest.as_ref().unwrap().as_str() == digest(1)));
    let torn = Scripted::start(move |_, before| match before {
        0 => page("a", 1).with("link", "</v2/p/r/app/tags/list?last=a>; rel=\"next\""),
        _ => page("a", 2),
    });
    assert!(why(list_google(&torn).await).contains("two images at once"));
}

#[tokio::test]
async fn no_tags_is_an_empty_list_and_no_repository_is_an_error() {
    let null = Scripted::start(|_, _| say(200, r#"{"name":"team/app","tags":null}"#));
    assert_eq!(known(list(&null).await).tags, []);
    let gone = Scripted::start(|_, _| say(404, r#"{"errors":[{"code":"NAME_UNKNOWN","message":"Repository not found"}]}"#));
    let said = why(list(&gone).await);
    assert!(said.contains("registry.example/team/app") && said.contains("not found"), "{said}");
    assert_eq!(gone.count(), 1);
}

/// A registry that wants a token and counts who got one.
fn with_tokens() -> Scripted {
    Scripted::start(|asked, _| {
        let host = asked.header("host").unwrap();
        match (asked.path(), asked.header("authorization")) {
            ("/token", _) => say(200, r#"{"token":"T1","expires_in":300}"#),
            (_, Some("Bearer T1")) => tags(&["a"]),
            _ => say(401, "{}").with("www-authenticate", &format!("Bearer realm=\"http://{host}/token\",service=\"r\"")),
        }
    })
}

fn count(server: &Scripted, path: &str) -> usize {
    server.asked().iter().filter(|it| it.path() == path).count()
}

#[tokio::test]
async fn a_token_is_fetched_when_asked_for_and_kept() {
    let server = with_tokens();
    let (registry, settings) = (registry(), settings(&server, RegistryAuth::Anonymous));
    let image = image("registry.example/team/app");
    known(registry.list(&settings, &image).await);
    assert_eq!(server.count(), 3, "401, token, list");
    assert_eq!(server.asked()[1].target, "/token?service=r&scope=repository%3Ateam%2Fapp%3Apull");
    assert_eq!(server.asked()[1].header("authorization"), None);
    known(registry.list(&settings, &image).await);
    assert_eq!(server.count(), 4, "a poll without news is one request");
}

#[tokio::test]
async fn twenty_at_once_fetch_one_token() {
    let server = with_tokens();
    let (registry, settings) = (Arc::new(registry()), settings(&server, RegistryAuth::Anonymous));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (registry, settings) = (Arc::clone(&registry), settings.clone());
        tasks.spawn(async move { registry.list(&settings, &image("registry.example/team/app")).await });
    }
    for listing in tasks.join_all().await {
        known(listing);
    }
    assert_eq!(count(&server, "/token"), 1);
}

#[tokio::test]
async fn a_kept_token_that_is_refused_is_renewed_once() {
    let server = Scripted::start(|asked, before| {
        let host = asked.header("host").unwrap();
        let challenge = || say(401, "").with("www-authenticate", &format!("Bearer realm=\"http://{host}/token\""));
        match (asked.path(), asked.header("authorization")) {
            ("/token", _) => say(200, format!(r#"{{"access_token":"T{before}"}}"#)),
            (_, Some("Bearer T1")) if before < 3 => tags(&["a"]),
            (_, Some("Bearer T4")) => tags(&["a", "b"]),
            _ => challenge(),
        }
    });
    let (registry, settings) = (registry(), settings(&server, RegistryAuth::Anonymous));
    let image = image("registry.example/team/app");
    known(registry.list(&settings, &image).await);
    assert_eq!(names(&known(registry.list(&settings, &image).await)), ["a", "b"]);
    assert_eq!(server.count(), 6);
}

#[tokio::test]
async fn a_login_that_never_works_ends() {
    let server = Scripted::start(|asked, _| match asked.path() {
        "/token" => say(200, r#"{"token":"no"}"#),
        _ => say(401, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#).with("www-authenticate", "Bearer realm=\"/token\""),
    });
    let said = why(list(&server).await);
    assert!(said.contains("401") && said.contains("`auth` in `registries`"), "{said}");
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn a_password_goes_to_the_registry_and_to_nobody_who_is_not_safe() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let auth = RegistryAuth::Basic { username: "bot".to_owned(), password: SecretRef::File(file.display().to_string()) };
    let image = image("registry.example/team/app");
    let basic = Scripted::start(|asked, _| match asked.header("authorization") {
        Some("Basic Ym90Omh1bnRlcjI=") => tags(&["a"]),
        _ => say(401, ""),
    });
    known(registry().list(&settings(&basic, auth.clone()), &image).await);
    assert_eq!(basic.count(), 1);
    let thief = Scripted::start(|_, _| say(200, r#"{"token":"x"}"#));
    let realm = format!("Bearer realm=\"{}/token\"", thief.url);
    let tempting = Scripted::start(move |_, _| say(401, "").with("www-authenticate", &realm));
    let said = why(registry().list(&settings(&tempting, auth), &image).await);
    assert!(said.contains("it was not sent") && !said.contains("hunter2"), "{said}");
    assert_eq!(thief.count(), 0);
}

#[tokio::test]
async fn a_redirect_never_takes_a_login_elsewhere() {
    let elsewhere = Scripted::start(|_, _| tags(&["a"]));
    let target = format!("{}/v2/team/app/tags/list", elsewhere.url);
    let server = Scripted::start(move |_, _| say(307, "").with("location", &target));
    assert_eq!(names(&known(list(&server).await)), ["a"], "nobody is logged in: it may be followed");
    let auth = RegistryAuth::Basic { username: "bot".to_owned(), password: SecretRef::File("/dev/null".to_owned()) };
    let said = why(registry().list(&settings(&server, auth), &image("registry.example/team/app")).await);
    assert!(said.contains("is empty"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p"), "hunter2").unwrap();
    let password = SecretRef::File(folder.path().join("p").display().to_string());
    let auth = RegistryAuth::Basic { username: "bot".to_owned(), password };
    let said = why(registry().list(&settings(&server, auth), &image("registry.example/team/app")).await);
    assert!(said.contains("redirects to"), "{said}");
    assert_eq!(elsewhere.count(), 1);
}

async fn resolve(server: &Scripted) -> Seen<Option<String>> {
    resolve_within(patient(), server).await
}

async fn resolve_within(limits: Limits, server: &Scripted) -> Seen<Option<String>> {
    let seen = Registry::with_limits(limits)
        .unwrap()
        .resolve(&settings(server, RegistryAuth::Anonymous), &image("registry.example/team/app"), &Tag::parse("v1").unwrap())
        .await;
    match seen {
        Seen::Known(it) => Seen::Known(it.map(|it| it.to_string())),
        Seen::Unknown(why) => Seen::Unknown(why),
    }
}

#[tokio::test]
async fn a_digest_is_one_request_that_accepts_every_form() {
    let server = Scripted::start(|_, _| say(200, "").with("docker-content-digest", &digest(7)));
    assert_eq!(known(resolve(&server).await), Some(digest(7)));
    let [asked] = &server.asked()[..] else { panic!("one request") };
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("HEAD", "/v2/team/app/manifests/v1"));
    for form in ["oci.image.index.v1", "docker.distribution.manifest.list.v2", "oci.image.manifest.v1", "docker.distribution.manifest.v2"] {
        assert!(asked.header("accept").unwrap().contains(form), "{form}");
    }
}

#[tokio::test]
async fn without_a_header_the_bytes_are_hashed_and_with_one_compared() {
    let body = br#"{"schemaVersion":2}"#;
    let hash = format!("sha256:{}", Sha256::digest(body).iter().map(|it| format!("{it:02x}")).collect::<String>());
    let plain = Scripted::start(move |_, _| say(200, *body));
    assert_eq!(known(resolve(&plain).await), Some(hash));
    let lying = Scripted::start(move |asked, _| match asked.method.as_str() {
        "HEAD" => say(200, ""),
        _ => say(200, *body).with("docker-content-digest", &digest(9)),
    });
    assert!(why(resolve(&lying).await).contains("its bytes have the digest"));
    let nonsense = Scripted::start(|_, _| say(200, "").with("docker-content-digest", "md5:1"));
    assert!(why(resolve(&nonsense).await).contains("not a digest"));
}

#[tokio::test]
async fn only_the_registry_itself_can_say_that_a_tag_is_not_there() {
    let missing = |code: &str| format!(r#"{{"errors":[{{"code":"{code}","message":"x"}}]}}"#);
    let body = missing("MANIFEST_UNKNOWN");
    let absent = Scripted::start(move |_, _| say(404, body.clone()));
    assert_eq!(known(resolve(&absent).await), None);
    let (name, denied, unauthorized) = (missing("NAME_UNKNOWN"), missing("DENIED"), missing("MANIFEST_UNKNOWN"));
    let others = [
        (404, name),
        (404, "<html>not here</html>".to_owned()),
        (404, String::new()),
        (403, denied),
        (401, unauthorized),
        (410, String::new()),
    ];
    for (status, body) in others {
        let server = Scripted::start(move |_, _| say(status, body.clone()));
        assert!(why(resolve(&server).await).contains(&status.to_string()), "{status}");
    }
}

/// Every fault of the outside: its name, the reply, how many requests it costs at most, and a word of what is said.
/// Under `Once` the second request succeeds, and so does the call.
fn faults() -> Vec<(&'static str, Reply, usize, &'static str)> {
    vec![
        ("401", say(401, "{}"), 1, "status 401"),
        ("403", say(403, r#"{"errors":[{"code":"DENIED"}]}"#), 1, "DENIED"),
        ("404", say(404, "page not found"), 2, "status 404"),
        ("409", say(409, "{}"), 1, "status 409"),
        ("429", say(429, "Quota Exceeded."), 3, "Quota Exceeded."),
        ("429 for long", say(429, "").with("retry-after", "3600"), 1, "come back after 3600"),
        ("429 until a date", say(429, "").with("retry-after", "Fri, 31 Dec 2060 23:59:59 GMT"), 1, "come back after Fri, 31 Dec 2060"),
        ("500", say(500, ""), 3, "status 500"),
        ("502 in HTML", say(502, "<html><h1>Bad Gateway</h1></html>"), 3, "status 502"),
        ("503", say(503, "later"), 3, "later"),
        ("slow to begin", Reply::Silent, 4, "did not answer"),
        ("slow to end", Reply::Quiet, 4, "in time"),
        ("cut in the body", Reply::Cut(br#"{"name":"team/app","tags":["a"]}  "#.to_vec()), 3, "broke before the answer was complete"),
        ("reset", Reply::Reset, 3, "127.0.0.1"),
        ("without end", Reply::Endless, 1, "larger than"),
        ("empty", say(200, ""), 1, "not the expected JSON"),
        ("HTML with 200", say(200, "<html>log in</html>"), 1, "not the expected JSON"),
        ("deep", say(200, "[".repeat(100_000)), 1, "not the expected JSON"),
        ("redirected to nowhere", say(302, "").with("location", "http://127.0.0.1:1/"), 1, "refuses connections"),
        ("redirected in a circle", say(302, "").with("location", "/"), 8, "again and again"),
    ]
}

#[tokio::test]
async fn every_fault_is_told_and_never_an_empty_list() {
    for (name, reply, most, word) in faults() {
        let within = limits(&reply);
        let server = Scripted::start(move |_, _| reply.clone());
        let begin = std::time::Instant::now();
        let said = why(list_within(within, &server).await);
        assert!(said.contains(word) && said.contains("registry.example/team/app"), "{name}: {said}");
        assert!(server.count() <= most, "{name}: {} requests", server.count());
        assert!(begin.elapsed() < Duration::from_secs(5), "{name}: {:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn every_fault_of_resolving_is_told_and_never_a_missing_tag() {
    // A HEAD has no body: what shows in a listing's body only is left to the listing.
    for (name, reply, most, word) in faults().into_iter().filter(|it| !matches!(it.0, "empty" | "HTML with 200" | "deep")) {
        let within = limits(&reply);
        let server = Scripted::start(move |asked, _| match (&reply, asked.method.as_str()) {
            (Reply::Cut(_) | Reply::Quiet | Reply::Endless, "HEAD") => say(200, ""),
            _ => reply.clone(),
        });
        let said = why(resolve_within(within, &server).await);
        // The body of a refused HEAD is never seen.
        assert!(said.contains(word) || matches!(name, "403" | "429" | "503"), "{name}: {said}");
        assert!(server.count() <= most + 1, "{name}: {} requests", server.count());
    }
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let once = [
        say(429, ""),
        say(429, "").with("retry-after", "0"),
        say(500, ""),
        say(502, "<html>"),
        say(503, ""),
        Reply::Reset,
        Reply::Silent,
        Reply::Quiet,
    ];
    for reply in once {
        // Silence must be noticed, and the answer after it must not be taken for silence.
        let silence = Limits { idle: Duration::from_secs(1), attempt: Duration::from_secs(1), ..patient() };
        let within = if matches!(reply, Reply::Silent | Reply::Quiet) { silence } else { patient() };
        let server = Scripted::start(move |_, before| if before == 0 { reply.clone() } else { tags(&["a"]) });
        assert_eq!(names(&known(list_within(within, &server).await)), ["a"]);
        assert_eq!(server.count(), 2);
    }
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let server = Scripted::start(|_, before| if before == 0 { say(429, "").with("retry-after", "1") } else { tags(&["a"]) });
    let begin = std::time::Instant::now();
    known(list(&server).await);
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = |endpoint: String| RegistrySettings {
        host: "registry.example".to_owned(),
        endpoint: Some(endpoint),
        auth: RegistryAuth::Anonymous,
    };
    let app = image("registry.example/team/app");
    let said = why(registry().list(&place(format!("http://{free}")), &app).await);
    assert!(said.contains(&format!("{free} refuses connections")), "{said}");
    let said = why(registry().list(&place("http://no-such-host.invalid".to_owned()), &app).await);
    assert!(said.contains("no-such-host.invalid could not be resolved"), "{said}");
}

/// The half of the next test that runs with its own environment.
#[tokio::test]
#[ignore = "run by google_takes_the_access_token_itself"]
async fn child_with_a_google_token() {
    let endpoint = std::env::var("TEST_REGISTRY").unwrap();
    let settings = RegistrySettings { host: "asia-docker.pkg.dev".to_owned(), endpoint: Some(endpoint), auth: RegistryAuth::Google };
    let listing = match Registry::with_limits(patient()) {
        Ok(registry) => registry.list(&settings, &image("asia-docker.pkg.dev/p/r/app")).await,
        Err(why) => Seen::Unknown(why.into()),
    };
    match std::env::var("TEST_EXPECTS").unwrap().as_str() {
        "tags" => assert_eq!(names(&known(listing)), ["a"]),
        word => {
            let said = why(listing);
            assert!(said.contains(word), "{said}");
        }
    }
}

/// Runs the test above in a process of its own: a test must not change its environment.
fn in_child(variables: &[(&str, &str)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "registry::child_with_a_google_token", "--ignored", "--nocapture"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert!(!said.contains("ya29"), "{said}");
}

#[test]
fn google_takes_the_access_token_itself() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "ya29.secret\n").unwrap();
    let server = Scripted::start(|asked, _| match asked.header("authorization") {
        Some("Bearer ya29.secret") => tags(&["a"]),
        _ => say(401, ""),
    });
    in_child(&[("TEST_REGISTRY", &server.url), ("TEST_EXPECTS", "tags"), ("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", file.to_str().unwrap())]);
    assert_eq!(server.count(), 1, "no ping, no exchange");
    in_child(&[("TEST_REGISTRY", &server.url), ("TEST_EXPECTS", "tags"), ("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.secret")]);
    in_child(&[("TEST_REGISTRY", &server.url), ("TEST_EXPECTS", "artifactregistry.reader"), ("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.other")]);
    in_child(&[("TEST_REGISTRY", &server.url), ("TEST_EXPECTS", "cannot be read"), ("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", "/nonexistent")]);
}

#[test]
fn a_proxy_is_used_but_not_for_this_computer() {
    let server = Scripted::start(|_, _| tags(&["a"]));
    let token = ("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.secret");
    in_child(&[("TEST_REGISTRY", &server.url), ("TEST_EXPECTS", "tags"), token, ("http_proxy", "http://127.0.0.1:1")]);
    in_child(&[("TEST_REGISTRY", "http://registry.invalid"), ("TEST_EXPECTS", "tags"), token, ("http_proxy", &server.url)]);
    assert_eq!(server.asked()[1].target, "http://registry.invalid/v2/p/r/app/tags/list?n=10000");
}

#[test]
fn google_also_works_by_exchange_but_only_at_the_registry() {
    let server = Scripted::start(|asked, _| match (asked.path(), asked.header("authorization")) {
        ("/v2/token", Some("Basic b2F1dGgyYWNjZXNzdG9rZW46eWEyOS5zZWNyZXQ=")) => say(200, r#"{"token":"T"}"#),
        (_, Some("Bearer T")) => tags(&["a"]),
        _ => say(401, "").with("www-authenticate", &format!("Bearer realm=\"http://{}/v2/token\"", asked.header("host").unwrap())),
    });
    in_child(&[("TEST_REGISTRY", &server.url), ("TEST_EXPECTS", "tags"), ("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.secret")]);
    assert_eq!(server.count(), 3);
    let elsewhere = Scripted::start(|_, _| say(401, "").with("www-authenticate", "Bearer realm=\"https://evil.example/token\""));
    in_child(&[("TEST_REGISTRY", &elsewhere.url), ("TEST_EXPECTS", "it was not sent"), ("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.secret")]);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_until_its_authority_is_named() {
    if !installed("openssl", "version") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("cert.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test"])
        .args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            key.to_str().unwrap(),
            "-out",
            certificate.to_str().unwrap(),
        ])
        .output()
        .unwrap();
    assert!(made.status.success());
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let process = Command::new("openssl")
        .args(["s_server", "-www", "-quiet", "-accept", &address.to_string()])
        .args(["-key", key.to_str().unwrap(), "-cert", certificate.to_str().unwrap()])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let real = Real { process, url: format!("https://{address}"), _folder: folder };
    listens(address).await;
    let base = [("TEST_REGISTRY", real.url.as_str()), ("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.secret")];
    in_child(&[base[0], base[1], ("TEST_EXPECTS", "is not trusted")]);
    for name in ["SSL_CERT_FILE", "GIT_SSL_CAINFO"] {
        in_child(&[base[0], base[1], ("TEST_EXPECTS", "not the expected JSON"), (name, certificate.to_str().unwrap())]);
    }
    in_child(&[base[0], base[1], ("TEST_EXPECTS", "SSL_CERT_FILE names"), ("SSL_CERT_FILE", "/nonexistent")]);
}

/// Whether a program is installed. Under `TOMODA_REAL=1` it has to be.
fn installed(program: &str, argument: &str) -> bool {
    let there = Command::new(program).arg(argument).output().is_ok();
    assert!(there || std::env::var_os("TOMODA_REAL").is_none(), "TOMODA_REAL=1 and {program} is not installed");
    if !there {
        println!("skipped: {program} is not installed");
    }
    there
}

/// Waits until something listens there.
async fn listens(address: std::net::SocketAddr) {
    let begin = std::time::Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(20), "nothing listens at {address}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A real server, stopped at the end.
struct Real {
    process: std::process::Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Real {
    async fn start() -> Option<Self> {
        if !installed("docker-registry", "--version") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = folder.path().join("config.yml");
        let root = folder.path().join("data");
        let text = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: '{address}' }}\n",
            root.display()
        );
        std::fs::write(&config, text).unwrap();
        let process = Command::new("docker-registry")
            .args(["serve".as_ref(), config.as_os_str()])
            .env_clear()
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let real = Self { process, url: format!("http://{address}"), _folder: folder };
        listens(address).await;
        Some(real)
    }

    /// Pushes an image of one empty layer's worth of nothing; returns its digest.
    async fn push(&self, repository: &str, tag: &str) -> String {
        let http = reqwest::Client::new();
        let config = format!(r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[]}},"tag":"{tag}"}}"#);
        let digest_of = |bytes: &[u8]| format!("sha256:{}", Sha256::digest(bytes).iter().map(|it| format!("{it:02x}")).collect::<String>());
        let begun = http.post(format!("{}/v2/{repository}/blobs/uploads/", self.url)).send().await.unwrap();
        let location = begun.headers()["location"].to_str().unwrap().to_owned();
        let blob = digest_of(config.as_bytes());
        let stored = http.put(format!("{location}&digest={blob}")).body(config.clone()).send().await.unwrap();
        assert_eq!(stored.status(), 201);
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [],
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "size": config.len(), "digest": blob },
        })
        .to_string();
        let put = http.put(format!("{}/v2/{repository}/manifests/{tag}", self.url));
        let put = put.header("content-type", "application/vnd.oci.image.manifest.v1+json").body(manifest.clone()).send().await.unwrap();
        assert_eq!(put.status(), 201);
        digest_of(manifest.as_bytes())
    }
}

#[tokio::test]
async fn a_real_registry_is_read_the_same_way() {
    let Some(real) = Real::start().await else { return };
    let pushed = real.push("team/app", "v1").await;
    real.push("team/app", "v2").await;
    let settings =
        RegistrySettings { host: "registry.example".to_owned(), endpoint: Some(real.url.clone()), auth: RegistryAuth::Anonymous };
    let registry = Registry::new().unwrap();
    let app = image("registry.example/team/app");
    let mut found = names(&known(registry.list(&settings, &app).await)).into_iter().map(str::to_owned).collect::<Vec<_>>();
    found.sort();
    assert_eq!(found, ["v1", "v2"]);
    let resolved = known(registry.resolve(&settings, &app, &Tag::parse("v1").unwrap()).await);
    assert_eq!(resolved.unwrap().as_str(), pushed);
    assert_eq!(known(registry.resolve(&settings, &app, &Tag::parse("v9").unwrap()).await), None);
    let nothing = why(registry.list(&settings, &image("registry.example/team/none")).await);
    assert!(nothing.contains("NAME_UNKNOWN"), "{nothing}");
}
