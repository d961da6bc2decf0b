//! The `kube` crate and plain HTTP on the rehearsal's APIs.

use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tomoda_release::model::Secret;
use tomoda_release::rehearsal::argocd::{Cluster, Setup};
use tomoda_release::rehearsal::kube::{Access, Clock};

use super::kubectl::brisk;
use crate::support::cluster::{overlay, overlay_file, refresh_patch, repo_at, setup};

async fn client(cluster: &Cluster) -> kube::Client {
    let config = Kubeconfig::from_yaml(&cluster.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    kube::Client::try_from(config).unwrap()
}

fn applications(client: &kube::Client) -> Api<DynamicObject> {
    let resource = ApiResource {
        group: "argoproj.io".into(),
        version: "v1alpha1".into(),
        api_version: "argoproj.io/v1alpha1".into(),
        kind: "Application".into(),
        plural: "applications".into(),
    };
    Api::namespaced_with(client.clone(), "argocd", &resource)
}

fn code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        other => panic!("not an answer of the API: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kube_crate_asks_and_is_answered() {
    let repo = repo_at("dev-0000001");
    let cluster = Cluster::raise(setup(&repo, brisk(), Clock::Wall)).await.unwrap();
    let client = client(&cluster).await;
    let (apps, deployments) = (applications(&client), Api::<Deployment>::namespaced(client.clone(), "tomoda"));
    let before = apps.get("tomoda").await.unwrap();
    assert_eq!(before.data["status"]["health"]["status"], "Healthy");
    assert_eq!(deployments.list(&ListParams::default()).await.unwrap().items.len(), 1);

    let version = before.metadata.resource_version.clone().unwrap();
    let mut watch = apps.watch(&WatchParams::default().fields("metadata.name=tomoda"), &version).await.unwrap().boxed();
    let head = repo.push(&[(&overlay_file(), &overlay("dev-0000002", &["deployment.yaml"]))]);
    let mut patch = refresh_patch();
    // The controller writes too: whoever lost looks again.
    loop {
        let now = apps.get("tomoda").await.unwrap().metadata.resource_version;
        patch["metadata"]["resourceVersion"] = json!(now);
        match apps.patch("tomoda", &PatchParams::default(), &Patch::Merge(&patch)).await {
            Ok(_) => break,
            Err(lost) => assert_eq!(code(&lost), 409, "{lost}"),
        }
    }
    let again = apps.patch("tomoda", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap_err();
    assert_eq!(code(&again), 409, "somebody asked already: {again}");

    let (mut asked, mut versions) = (false, Vec::new());
    loop {
        let event = tokio::time::timeout(Duration::from_secs(30), watch.next()).await.expect("an event in time").unwrap().unwrap();
        let WatchEvent::Modified(it) = event else { panic!("{event:?}") };
        versions.push(it.metadata.resource_version.clone().unwrap().parse::<u64>().unwrap());
        let is_asked = it.metadata.annotations.as_ref().is_some_and(|it| it.contains_key("argocd.argoproj.io/refresh"));
        asked |= is_asked;
        let status = &it.data["status"];
        if asked
            && !is_asked
            && status["sync"]["revision"] == head.as_str()
            && status["sync"]["status"] == "Synced"
            && status["health"]["status"] == "Healthy"
        {
            break;
        }
    }
    assert!(versions.is_sorted(), "{versions:?}");
    let deployment = deployments.get("tomoda-api").await.unwrap();
    let image = deployment.spec.unwrap().template.spec.unwrap().containers[0].image.clone();
    assert_eq!(image.as_deref(), Some("registry.example/tomoda/backend:dev-0000002"));
    assert_eq!(code(&apps.get("nope").await.unwrap_err()), 404);
    assert_eq!(code(&deployments.get("nope").await.unwrap_err()), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_and_a_read_only_one_does_not_write() {
    let repo = repo_at("dev-0000001");
    let base = setup(&repo, brisk(), Clock::Wall);
    let open = Cluster::raise(Setup { access: Access::ReadOnly(Secret::new("letmein")), ..base }).await.unwrap();
    let reader = client(&open).await;
    let apps = applications(&reader);
    apps.get("tomoda").await.unwrap();
    let refused = apps.patch("tomoda", &PatchParams::default(), &Patch::Merge(&refresh_patch())).await.unwrap_err();
    assert_eq!(code(&refused), 403);
    assert!(refused.to_string().contains("applications.argoproj.io \"tomoda\" is forbidden: User"), "{refused}");
    let stranger = kube::Client::try_from(kube::Config::new(open.url().parse().unwrap())).unwrap();
    assert_eq!(code(&applications(&stranger).get("tomoda").await.unwrap_err()), 401);
}

async fn http(method: &str, url: String, token: Option<&str>) -> (u16, String) {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let request = client.request(method.parse().unwrap(), url);
    let request = token.iter().fold(request, |it, token| it.bearer_auth(token));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_rehearsed_is_said_loudly() {
    let repo = repo_at("dev-0000001");
    let setup = setup(&repo, brisk(), Clock::Wall);
    let log = setup.backstage.requests.clone();
    let cluster = Cluster::raise(setup).await.unwrap();
    let path = format!("{}/apis/apps/v1/namespaces/tomoda/deployments", cluster.url());
    for (method, path, status) in [
        ("GET", format!("{path}?strange=1"), 501),
        ("DELETE", format!("{path}/tomoda-api"), 501),
        ("GET", format!("{path}?labelSelector=a%20%3C%3E"), 400),
        ("GET", format!("{path}?fieldSelector=spec.replicas%3D2"), 400),
        ("GET", format!("{path}?watch=1&resourceVersion=5"), 410),
        ("GET", format!("{}/apis/apps/v1/namespaces/tomoda/things", cluster.url()), 404),
        ("PATCH", format!("{path}/tomoda-api"), 415),
    ] {
        let (code, body) = http(method, path.clone(), None).await;
        assert_eq!(code, status, "{method} {path}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["kind"], &body["code"]), (&json!("Status"), &json!(status)));
    }
    assert_eq!(http("GET", format!("{}/apis/nope/v1/things", cluster.url()), None).await, (404, "404 page not found\n".to_owned()));
    assert_eq!(log.not_understood().len(), 2, "what is not rehearsed is recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn argocds_own_api_reads_and_asks() {
    let repo = repo_at("dev-0000001");
    let base = setup(&repo, brisk(), Clock::Wall);
    let cluster = Cluster::raise(Setup { argocd_token: Some(Secret::new("a.b.c")), ..base }).await.unwrap();
    let api = |rest: &str| format!("{}/api/v1/applications{rest}", cluster.argocd_url());
    let get = async |rest: &str, token: Option<&str>| {
        let (code, body) = http("GET", api(rest), token).await;
        (code, serde_json::from_str::<Value>(&body).unwrap())
    };
    let (code, body) = get("/tomoda", None).await;
    assert_eq!((code, &body["error"], &body["code"]), (401, &json!("no session information"), &json!(16)));
    assert_eq!(get("/tomoda", Some("notajwt")).await.1["message"], "no session information");
    assert_eq!(get("/tomoda", Some("x.y.z")).await.0, 401);
    assert_eq!(get("/nope", Some("a.b.c")).await.0, 403, "who names no project does not learn what exists");
    let (code, body) = get("/nope?project=default", Some("a.b.c")).await;
    assert_eq!((code, &body["code"]), (404, &json!(5)));
    assert_eq!(get("?projects=default", Some("a.b.c")).await.1["items"][0]["metadata"]["name"], "tomoda");
    assert_eq!(get("?projects=other", Some("a.b.c")).await.1["items"], json!([]));
    let head = repo.push(&[("README.md", "x")]);
    assert_ne!(get("/tomoda?project=default", Some("a.b.c")).await.1["status"]["sync"]["revision"], head.as_str());
    let (_, asked) = get("/tomoda?project=default&refresh=normal", Some("a.b.c")).await;
    assert_eq!(asked["status"]["sync"]["revision"], head.as_str(), "the answer comes after the look");
    assert_eq!(http("POST", api("/tomoda/sync"), Some("a.b.c")).await.0, 501, "this API only reads");
    assert_eq!(http("GET", format!("{}/api/version", cluster.argocd_url()), None).await.0, 200);
}
