//! Every fault, seen from a client.

use std::time::{Duration, Instant};

use tomoda_release::rehearsal::World;
use tomoda_release::rehearsal::stage::Fault;

use crate::support::world::instant;

async fn ask(world: &World, fault: &str) -> reqwest::Result<reqwest::Response> {
    world.backstage.faults.clear();
    world.backstage.faults.order(Fault::parse(fault).unwrap());
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    client.get(format!("{}/v2/", world.registry.url())).bearer_auth("x").send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_come_with_their_dress() {
    let world = instant().await;
    let limited = ask(&world, "registry GET /v2/ status=429 retry-after=7").await.unwrap();
    assert_eq!((limited.status().as_u16(), limited.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    let proxy = ask(&world, "registry * * status=502 html").await.unwrap();
    assert!(proxy.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let elsewhere = ask(&world, "* GET /v2/ redirect=http://127.0.0.1:9/").await.unwrap();
    assert_eq!((elsewhere.status().as_u16(), elsewhere.headers()["location"].to_str().unwrap()), (307, "http://127.0.0.1:9/"));
    assert_eq!(ask(&world, "git GET /v2/ status=500").await.unwrap().status(), 200, "another server's fault");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nth_time_and_so_many_times() {
    let world = instant().await;
    let first = ask(&world, "registry GET /v2/ nth=2 times=2 status=500").await.unwrap().status().as_u16();
    let client = reqwest::Client::new();
    let mut statuses = vec![first];
    for _ in 0..3 {
        let url = format!("{}/v2/", world.registry.url());
        statuses.push(client.get(url).bearer_auth("x").send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_break_where_they_should() {
    let world = instant().await;
    for fault in ["registry GET /v2/ reset=before", "registry GET /v2/ reset=after"] {
        assert!(ask(&world, fault).await.unwrap_err().is_request(), "{fault}");
    }
    let cut = ask(&world, "registry GET /v2/ cut=1").await.unwrap();
    assert_eq!(cut.status(), 200);
    assert!(cut.bytes().await.is_err());
    for fault in ["registry GET /v2/ delay=300ms", "registry GET /v2/ late=300ms"] {
        let begun = Instant::now();
        assert_eq!(ask(&world, fault).await.unwrap().status(), 200);
        assert!(begun.elapsed() >= Duration::from_millis(300), "{fault}");
    }
}
