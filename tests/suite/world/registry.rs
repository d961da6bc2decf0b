//! The registry, judged by the distribution API's text and by skopeo.

use reqwest::header::{ACCEPT, LINK, WWW_AUTHENTICATE};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::process::Command;
use tomoda_release::rehearsal::World;

use crate::support::world::{clean, has, instant};

const BACKEND: &str = "development-485000/tomoda-dev-repo/tomoda-backend";
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";

async fn get(world: &World, path: &str, accept: &str) -> Response {
    let request = Client::new().get(format!("{}{path}", world.registry.url())).bearer_auth("x");
    request.header(ACCEPT, accept).send().await.unwrap()
}

async fn problem(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["errors"][0]["code"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_sent_for_a_token() {
    let world = instant().await;
    let client = Client::new();
    let response = client.get(format!("{}/v2/", world.registry.url())).send().await.unwrap();
    assert_eq!(response.status(), 401);
    let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
    let realm = challenge.strip_prefix("Bearer realm=\"").unwrap().strip_suffix('"').unwrap();
    let query = [("scope", format!("repository:{BACKEND}:pull"))];
    let token: Value = client.get(realm).query(&query).send().await.unwrap().json().await.unwrap();
    let known = client.get(format!("{}/v2/", world.registry.url())).bearer_auth(token["token"].as_str().unwrap());
    assert_eq!(known.send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_list_tells_times_and_digests_as_google_does() {
    let world = instant().await;
    let list: Value = get(&world, &format!("/v2/{BACKEND}/tags/list"), "*/*").await.json().await.unwrap();
    let tags: Vec<&str> = list["tags"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!((list["name"].as_str(), tags.len()), (Some(BACKEND), 4));
    assert_eq!(list["child"], json!([]));
    let mut described = Vec::new();
    for (digest, manifest) in list["manifest"].as_object().unwrap() {
        assert!(digest.starts_with("sha256:"));
        for number in ["timeUploadedMs", "timeCreatedMs", "imageSizeBytes"] {
            assert!(manifest[number].as_str().unwrap().parse::<i64>().unwrap() > 0, "{number}: {manifest}");
        }
        assert_eq!(manifest["mediaType"], OCI);
        described.extend(manifest["tag"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()));
    }
    described.sort_unstable();
    assert_eq!(described, tags);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_to_every_tag_once() {
    let world = instant().await;
    let mut path = format!("/v2/{BACKEND}/tags/list?n=3");
    let mut found = Vec::new();
    loop {
        let response = get(&world, &path, "*/*").await;
        let link = response.headers().get(LINK).map(|it| it.to_str().unwrap().to_owned());
        let list: Value = response.json().await.unwrap();
        assert_eq!(list["manifest"].as_object().unwrap().len(), list["tags"].as_array().unwrap().len());
        found.extend(list["tags"].as_array().unwrap().clone());
        match link {
            None => break,
            Some(link) => path = link.strip_prefix('<').unwrap().split_once(">; rel=\"next\"").unwrap().0.to_owned(),
        }
    }
    let whole: Value = get(&world, &format!("/v2/{BACKEND}/tags/list"), "*/*").await.json().await.unwrap();
    assert_eq!(json!(found), whole["tags"]);
    assert_eq!(problem(get(&world, &format!("/v2/{BACKEND}/tags/list?n=x"), "*/*").await).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_what_its_digest_says() {
    let world = instant().await;
    let list: Value = get(&world, &format!("/v2/{BACKEND}/tags/list"), "*/*").await.json().await.unwrap();
    let tag = list["tags"][0].as_str().unwrap();
    let path = format!("/v2/{BACKEND}/manifests/{tag}");
    let head = Client::new().head(format!("{}{path}", world.registry.url())).bearer_auth("x").header(ACCEPT, OCI).send().await.unwrap();
    let digest = head.headers()["docker-content-digest"].to_str().unwrap().to_owned();
    let length: usize = head.headers()["content-length"].to_str().unwrap().parse().unwrap();
    let bytes = get(&world, &path, OCI).await.bytes().await.unwrap();
    assert_eq!((format!("sha256:{:x}", Sha256::digest(&bytes)), bytes.len()), (digest.clone(), length));
    assert_eq!(get(&world, &format!("/v2/{BACKEND}/manifests/{digest}"), OCI).await.bytes().await.unwrap(), bytes);
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();
    for part in [&manifest["config"], &manifest["layers"][0]] {
        let blob = get(&world, &format!("/v2/{BACKEND}/blobs/{}", part["digest"].as_str().unwrap()), "*/*").await;
        let blob = blob.bytes().await.unwrap();
        assert_eq!(format!("sha256:{:x}", Sha256::digest(&blob)), part["digest"].as_str().unwrap());
        assert_eq!(part["size"], blob.len());
    }
    let docker_only = "application/vnd.docker.distribution.manifest.v2+json";
    assert_eq!(problem(get(&world, &path, docker_only).await).await, (404, "MANIFEST_UNKNOWN".to_owned()));
    let absent = get(&world, &format!("/v2/{BACKEND}/manifests/v9"), OCI).await;
    assert_eq!(problem(absent).await, (404, "MANIFEST_UNKNOWN".to_owned()));
    let nowhere = get(&world, "/v2/development-485000/no-repo/image/tags/list", OCI).await;
    assert_eq!(problem(nowhere).await, (404, "NAME_UNKNOWN".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn release_tags_stay_where_they_are() {
    let world = instant().await;
    let prod = "development-485000/tomoda-prod-repo/tomoda-backend";
    let put = async |tag: &str, from: &str| {
        let bytes = get(&world, &format!("/v2/{prod}/manifests/{from}"), OCI).await.bytes().await.unwrap();
        let url = format!("{}/v2/{prod}/manifests/{tag}", world.registry.url());
        Client::new().put(url).bearer_auth("x").header("Content-Type", OCI).body(bytes).send().await.unwrap()
    };
    assert_eq!(put("v0.4.2", "v0.4.2").await.status(), 201, "the same again is no change");
    assert_eq!(put("v9.9.9", "v0.4.2").await.status(), 201, "a new tag is welcome");
    let refused = put("v0.4.2", "v0.4.1").await;
    let text = refused.text().await.unwrap();
    assert!(text.contains("MANIFEST_INVALID") && text.contains("cannot update tag v0.4.2"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_lists_inspects_and_pushes() {
    if !has("skopeo") {
        return;
    }
    let world = instant().await;
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("tmp")).unwrap();
    let host = world.registry.url().trim_start_matches("http://").to_owned();
    let skopeo = |arguments: &[&str]| {
        let mut command = Command::new("skopeo");
        clean(&mut command, home.path());
        let output = command.arg("--insecure-policy").args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let image = format!("docker://{host}/{BACKEND}");
    let list: Value = serde_json::from_str(&skopeo(&["list-tags", "--tls-verify=false", &image])).unwrap();
    let tag = list["Tags"][0].as_str().unwrap();
    let digest = world.images.resolve(BACKEND, tag).unwrap();
    let shown = skopeo(&["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &format!("{image}:{tag}")]);
    assert_eq!(shown.trim(), digest);

    let to = "development-485000/tomoda-prod-repo/tomoda-other";
    let (from, to_ref) = (format!("{image}:{tag}"), format!("docker://{host}/{to}:v1.0.0"));
    skopeo(&["copy", "--quiet", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false", &from, &to_ref]);
    assert_eq!(world.images.resolve(to, "v1.0.0"), Some(digest));
    let asked = world.backstage.requests.not_understood();
    assert!(asked.is_empty(), "{asked:#?}");
}
