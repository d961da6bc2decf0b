//! Builds of a release tag, from a Cloud Build that answers by script: Google's own client asks, the requests are checked.

use std::process::Command;

use google_cloud_build_v1::client::CloudBuild as Client;
use google_cloud_gax::retry_policy::{Aip194Strict, RetryPolicyExt as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use tomoda_release::io::google;
use tomoda_release::model::{BuildSeen, BuildStatus, CloudBuild, ComponentName, Seen};
use tomoda_release::observe::builds::builds;

use crate::support::scripted::{Reply, Scripted, say};

const PARENT: &str = "/v1/projects/shop-1/locations/asia-east1";

fn settings() -> CloudBuild {
    let web = ComponentName::parse("web").unwrap();
    let span = std::time::Duration::from_secs(60);
    CloudBuild {
        project: "shop-1".to_owned(),
        location: "asia-east1".to_owned(),
        triggers: vec![(web, "web-release".to_owned())],
        appears_within: span,
        finishes_within: span,
    }
}

async fn client(server: &Scripted) -> Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    let policy = Aip194Strict.with_attempt_limit(2).with_time_limit(std::time::Duration::from_secs(5));
    let anonymous = google_cloud_auth::credentials::anonymous::Builder::new().build();
    Client::builder().with_endpoint(&server.url).with_credentials(anonymous).with_retry_policy(policy).build().await.unwrap()
}

async fn look(server: &Scripted) -> Seen<Vec<BuildSeen>> {
    let since: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    builds(&client(server).await, &settings(), &ComponentName::parse("web").unwrap(), "v1.2.3", since).await
}

fn known(seen: Seen<Vec<BuildSeen>>) -> Vec<BuildSeen> {
    match seen {
        Seen::Known(it) => it,
        Seen::Unknown(why) => panic!("not seen: {why}"),
    }
}

fn why(seen: Seen<Vec<BuildSeen>>) -> String {
    match seen {
        Seen::Known(it) => panic!("seen: {it:?}"),
        Seen::Unknown(why) => why.why,
    }
}

fn build(id: &str, tag: &str, created: &str, more: Value) -> Value {
    let mut build = json!({
        "id": id, "status": "WORKING", "createTime": created, "logUrl": format!("https://log/{id}"), "buildTriggerId": "t-1",
        "substitutions": { "TAG_NAME": tag, "COMMIT_SHA": "a".repeat(40) },
    });
    build.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    build
}

fn not_found() -> Reply {
    say(404, json!({ "error": { "code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND" } }).to_string())
}

/// A project with the trigger `web-release`, id `t-1`, and these pages of builds.
fn project(pages: Vec<Value>) -> Scripted {
    Scripted::start(move |asked, _| match asked.path().strip_prefix(PARENT) {
        Some("/triggers/web-release") => say(200, json!({ "id": "t-1", "name": "web-release" }).to_string()),
        Some("/builds") => {
            let page: usize = asked.target.split("pageToken=p").nth(1).map_or(0, |it| it[..1].parse().unwrap());
            let mut body = json!({ "builds": pages[page] });
            if page + 1 < pages.len() {
                body["nextPageToken"] = json!(format!("p{}", page + 1));
            }
            say(200, body.to_string())
        }
        _ => not_found(),
    })
}

#[tokio::test]
async fn the_builds_of_a_tag_are_found_newest_first_over_all_pages() {
    let server = project(vec![
        json!([build("b1", "v1.2.3", "2026-11-21T10:01:00Z", json!({})), build("other", "v1.2.2", "2026-11-21T10:05:00Z", json!({}))]),
        json!([build(
            "b2",
            "v1.2.3",
            "2026-11-21T10:02:00.123456789Z",
            json!({
                "status": "SUCCESS", "unknownField": [1],
                "results": { "images": [
                    { "name": "registry.example:5000/prod/web:v1.2.3", "digest": format!("sha256:{}", "b".repeat(64)) },
                    { "name": "registry.example/prod/side", "digest": "" },
                ] },
            })
        )]),
    ]);
    let found = known(look(&server).await);
    assert_eq!(found.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["b2", "b1"]);
    assert_eq!(found[0].status, BuildStatus::Succeeded);
    assert_eq!(found[0].images.len(), 1, "an image without a digest proves nothing");
    assert_eq!(found[0].images[0].0, "registry.example:5000/prod/web");
    assert_eq!(found[1].commit.as_ref().unwrap().as_str(), "a".repeat(40));
    assert_eq!(found[1].log_url, "https://log/b1");
    let list = server.asked().into_iter().find(|it| it.path().ends_with("/builds")).unwrap();
    let url = reqwest::Url::parse(&format!("http://x{}", list.target)).unwrap();
    let filter = url.query_pairs().find(|it| it.0 == "filter").unwrap().1.into_owned();
    assert_eq!(filter, "trigger_id=\"t-1\" AND create_time>=\"2026-11-21T10:00:00Z\"");
}

#[tokio::test]
async fn every_status_has_its_meaning_and_a_new_word_is_no_end() {
    use BuildStatus::{Failed, Other, Pending, Queued, Succeeded, Working};
    let failed = |word: &str| Failed(word.to_owned());
    let cases = [
        (json!({ "status": "PENDING" }), Pending),
        (json!({ "status": "QUEUED" }), Queued),
        (json!({ "status": 2 }), Working),
        (json!({ "status": 3 }), Succeeded),
        (json!({ "status": "FAILURE" }), failed("FAILURE")),
        (json!({ "status": "INTERNAL_ERROR" }), failed("INTERNAL_ERROR")),
        (json!({ "status": "TIMEOUT" }), failed("TIMEOUT")),
        (json!({ "status": "CANCELLED" }), failed("CANCELLED")),
        (json!({ "status": "EXPIRED" }), failed("EXPIRED")),
        (json!({ "status": "STATUS_UNKNOWN" }), Other("STATUS_UNKNOWN".to_owned())),
        (json!({ "status": "SOMETHING_NEW" }), Other("SOMETHING_NEW".to_owned())),
        (json!({ "status": 77 }), Other("77".to_owned())),
        (json!({ "status": "PENDING", "approval": { "state": "REJECTED" } }), failed("REJECTED")),
        (json!({ "status": "PENDING", "approval": { "state": "PENDING" } }), Pending),
    ];
    for (more, status) in cases {
        let server = project(vec![json!([build("b", "v1.2.3", "2026-11-21T10:01:00Z", more.clone())])]);
        assert_eq!(known(look(&server).await)[0].status, status, "{more}");
    }
}

#[tokio::test]
async fn what_went_wrong_is_told() {
    let more =
        json!({ "status": "FAILURE", "statusDetail": "step 2 failed", "failureInfo": { "type": "USER_BUILD_STEP", "detail": "exit 1" } });
    let server = project(vec![json!([build("b", "v1.2.3", "2026-11-21T10:01:00Z", more)])]);
    assert_eq!(known(look(&server).await)[0].detail.as_deref(), Some("step 2 failed: exit 1"));
}

#[tokio::test]
async fn no_build_yet_is_an_empty_list() {
    let server = project(vec![json!([])]);
    assert_eq!(known(look(&server).await), []);
}

#[tokio::test]
async fn a_trigger_is_found_by_name_in_the_list_too() {
    let server = Scripted::start(|asked, _| match asked.path().strip_prefix(PARENT) {
        Some("/triggers") => {
            say(200, json!({ "triggers": [{ "id": "t-0", "name": "x" }, { "id": "t-9", "name": "web-release" }] }).to_string())
        }
        Some("/builds") => say(200, json!({ "builds": [] }).to_string()),
        _ => not_found(),
    });
    assert_eq!(known(look(&server).await), []);
    assert!(server.asked().last().unwrap().target.contains("t-9"));
    let without = Scripted::start(|asked, _| match asked.path().strip_prefix(PARENT) {
        Some("/triggers") => say(200, json!({ "triggers": [{ "id": "t-0", "name": "web-relaese" }] }).to_string()),
        _ => not_found(),
    });
    let said = why(look(&without).await);
    assert!(said.contains("no Cloud Build trigger web-release") && said.contains("web-relaese"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_seen_is_never_an_empty_list() {
    let error = |code: u16, status: &str, message: &str| {
        say(code, json!({ "error": { "code": code, "status": status, "message": message } }).to_string())
    };
    let cases = [
        (error(403, "PERMISSION_DENIED", "cloudbuild.builds.list denied"), "cloudbuild.builds.list denied"),
        (error(400, "INVALID_ARGUMENT", "bad filter"), "bad filter"),
        (error(503, "UNAVAILABLE", "try later"), "try later"),
        (error(429, "RESOURCE_EXHAUSTED", "quota"), "quota"),
        (say(502, "<html>Bad Gateway</html>"), "502"),
        (say(200, "<html>log in</html>"), "did not show"),
        (Reply::Reset, "did not show"),
        (Reply::Cut(b"{\"builds\":[]}        ".to_vec()), "did not show"),
    ];
    for (reply, word) in cases {
        let server = Scripted::start(move |asked, _| match asked.path().strip_prefix(PARENT) {
            Some("/triggers/web-release") => say(200, json!({ "id": "t-1", "name": "web-release" }).to_string()),
            _ => reply.clone(),
        });
        let said = why(look(&server).await);
        assert!(said.contains(word) && said.contains("web-release"), "{word}: {said}");
    }
}

/// The half of the next test that runs with its own environment.
#[tokio::test]
#[ignore = "run by the_endpoint_and_the_token_come_from_the_environment"]
async fn child_with_an_endpoint() {
    let client = google::cloud_build().await.unwrap();
    let since: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    let seen = builds(&client, &settings(), &ComponentName::parse("web").unwrap(), "v1.2.3", since).await;
    assert_eq!(known(seen), []);
}

#[test]
fn the_endpoint_and_the_token_come_from_the_environment() {
    for (token, expected) in [(None, None), (Some("ya29.secret"), Some("Bearer ya29.secret"))] {
        let server = project(vec![json!([])]);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "builds::child_with_an_endpoint", "--ignored", "--nocapture"]).env_clear();
        command.env("HOME", "/nonexistent").env("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDBUILD", format!("{}/", server.url));
        command.envs(token.map(|it| ("GOOGLE_OAUTH_ACCESS_TOKEN", it)));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        assert_eq!(server.asked()[0].header("authorization"), expected);
    }
}
