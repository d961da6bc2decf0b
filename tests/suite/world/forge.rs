//! GitHub's release pages, judged by octocrab.

use octocrab::Octocrab;

use crate::support::world::instant;

#[tokio::test(flavor = "multi_thread")]
async fn octocrab_makes_a_release_page_once() {
    let world = instant().await;
    let github = Octocrab::builder().base_uri(world.github.url()).unwrap().personal_token("token").build().unwrap();
    let repository = github.repos("tomoda-labs", "tomoda");
    let releases = repository.releases();
    let Err(octocrab::Error::GitHub { source, .. }) = releases.get_by_tag("v0.4.2").await else { panic!("there is none yet") };
    assert_eq!(source.status_code, 404);
    let made = releases.create("v0.4.2").name("Tomoda v0.4.2").body("Notes").send().await.unwrap();
    assert_eq!((made.tag_name.as_str(), made.body.as_deref()), ("v0.4.2", Some("Notes")));
    let Err(octocrab::Error::GitHub { source, .. }) = releases.create("v0.4.2").send().await else { panic!("it exists") };
    assert_eq!(source.status_code, 422);
    assert_eq!(source.errors.unwrap()[0]["code"], "already_exists");
    releases.update(*made.id).body("Better notes").send().await.unwrap();
    assert_eq!(releases.get_by_tag("v0.4.2").await.unwrap().body.as_deref(), Some("Better notes"));
    assert_eq!(releases.list().send().await.unwrap().items.len(), 1);
    assert_eq!(world.github.releases().len(), 1);
    let asked = world.backstage.requests.not_understood();
    assert!(asked.is_empty(), "{asked:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_token_or_a_name() {
    let world = instant().await;
    let url = format!("{}/repos/tomoda-labs/tomoda/releases", world.github.url());
    let client = reqwest::Client::new();
    assert_eq!(client.get(&url).header("User-Agent", "test").send().await.unwrap().status(), 401);
    assert_eq!(client.get(&url).bearer_auth("token").send().await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_for_a_tag_that_does_not_exist_is_never_asked_for_by_mistake() {
    let world = instant().await;
    let github = Octocrab::builder().base_uri(world.github.url()).unwrap().personal_token("token").build().unwrap();
    github.repos("tomoda-labs", "tomoda").releases().create("v9.9.9").send().await.unwrap_err();
    assert_eq!(world.backstage.requests.not_understood().len(), 1);
}
