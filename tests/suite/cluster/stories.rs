//! The nine recorded stories, told again: the same moments in the same order.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tomoda_release::rehearsal::argocd::Timing;
use tomoda_release::rehearsal::kube::Key;

use crate::support::cluster::{Names, OVERLAY, Story, moment, overlay, overlay_file, passes_through};

const STORIES: &[&str] = &[
    "1-new-tag",
    "2-no-difference",
    "3-never-starts",
    "4-way-back",
    "5-does-not-build",
    "6-api-refuses",
    "7-two-in-a-row",
    "8-no-refresh",
    "9-scaled-by-hand",
];

fn case(folder: &str, file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(folder).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn recorded(name: &str) -> Vec<Value> {
    let text = case("argocd-traces", &format!("{name}.jsonl"));
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

fn recorded_applications(name: &str) -> Vec<Value> {
    recorded(name).into_iter().filter(|it| it["kind"] == "Application").map(|it| it["object"].clone()).collect()
}

/// What the recording pushed, as its notes say.
fn recorded_pushes(name: &str) -> Vec<String> {
    let notes: Vec<String> = recorded(name).iter().filter_map(|it| it["note"].as_str().map(str::to_owned)).collect();
    let last_words = notes.iter().filter_map(|it| it.rsplit(' ').next());
    last_words.filter(|it| it.len() == 40).map(str::to_owned).collect()
}

/// Does what the outside did in a recording. Answers with what was pushed.
fn tell(name: &str, story: &mut Story) -> Vec<String> {
    let deployment = Key::new("apps", "Deployment", "tomoda", "tomoda-api");
    match name {
        "1-new-tag" => {
            let pushed = story.push_tag("dev-0000011");
            story.refresh();
            story.pass(20_000);
            vec![pushed]
        }
        "2-no-difference" => {
            let pushed = story.repo.push(&[("README.md", "nothing of the application")]);
            story.refresh();
            story.pass(5_000);
            vec![pushed]
        }
        "3-never-starts" => {
            let pushed = story.push_deployment("dev-bad0001", "no node");
            story.refresh();
            story.pass(20_000);
            vec![pushed]
        }
        "4-way-back" => {
            story.push_deployment("dev-bad0001", "no node");
            story.refresh();
            story.pass(20_000);
            story.states = vec![story.application()];
            let pushed = story.push_deployment("dev-0000001", "");
            story.refresh();
            story.pass(20_000);
            vec![pushed]
        }
        "5-does-not-build" => {
            let broken = story.repo.push(&[(&overlay_file(), &overlay("dev-0000001", &["deployment.yaml", "missing.yaml"]))]);
            story.refresh();
            story.pass(12_000);
            let repair = story.push_tag("dev-0000001");
            story.refresh();
            story.pass(5_000);
            vec![broken, repair]
        }
        "6-api-refuses" => {
            let refused = story.push_deployment("dev-0000001", "selector");
            story.refresh();
            story.pass(25_000);
            let repair = story.push_deployment("dev-0000001", "");
            story.refresh();
            story.pass(20_000);
            story.edit(&Story::key(), |it| it["status"]["operationState"]["phase"] = json!("Terminating"));
            story.pass(5_000);
            story.refresh();
            story.pass(5_000);
            vec![refused, repair]
        }
        "7-two-in-a-row" => {
            let first = story.push_tag("dev-0000007");
            story.refresh();
            story.pass(60);
            let second = story.push_tag("dev-0000008");
            story.pass(20_000);
            vec![first, second]
        }
        "8-no-refresh" => {
            let pushed = story.push_tag("dev-0000009");
            story.pass(150_000);
            vec![pushed]
        }
        "9-scaled-by-hand" => {
            let pushed = story.push_tag("dev-0000009");
            story.pass(2_000);
            story.edit(&deployment, |it| it["spec"]["replicas"] = json!(3));
            story.pass(20_000);
            vec![pushed]
        }
        other => panic!("no story is called {other}"),
    }
}

/// The timing a story needs, at this seed; seed 0 leaves nothing to chance.
fn timing(name: &str, seed: u64) -> Timing {
    let usual = if seed == 0 { Timing::default() } else { Timing::race(seed) };
    // A cached branch has to outlive the story of the commit that nobody asked about.
    let resync = if name == "8-no-refresh" || name == "9-scaled-by-hand" { 100 } else { 3_600 };
    Timing { resync: Duration::from_secs(resync), ..usual }
}

fn told(name: &str, seed: u64) -> (Story, Vec<String>) {
    let mut story = Story::begin(timing(name, seed), Duration::from_millis(seed * 37 % 1000));
    if matches!(name, "8-no-refresh" | "9-scaled-by-hand") {
        story.refresh();
        story.pass(1_500);
        story.states = vec![story.application()];
    }
    let pushed = tell(name, &mut story);
    let moments = story.moments(&pushed);
    (story, moments)
}

#[test]
fn the_recordings_pass_through_their_moments() {
    for name in STORIES {
        let mut names = Names::new(&recorded_pushes(name));
        let states: Vec<String> = recorded_applications(name).iter().map(|it| moment(it, &mut names)).collect();
        let moments = case("argocd-moments", &format!("{name}.txt"));
        passes_through(&states, &moments).unwrap_or_else(|why| panic!("{name}: {why}\n{}", states.join("\n")));
    }
}

#[test]
fn the_simulation_passes_through_the_moments_of_every_recording() {
    for name in STORIES {
        let moments = case("argocd-moments", &format!("{name}.txt"));
        let mut nearest = String::new();
        let found = (0..150).find(|seed| {
            let (_, states) = told(name, *seed);
            passes_through(&states, &moments).map_err(|why| nearest = format!("seed {seed}: {why}\n{}", states.join("\n"))).is_ok()
        });
        match found {
            Some(seed) => println!("{name}: the recording's moments are met at seed {seed}"),
            None => panic!("{name}: no seed meets the recording's moments; the last one: {nearest}"),
        }
    }
}

#[test]
fn whatever_the_order_of_the_loops_the_story_ends_as_the_truth_says() {
    for name in STORIES {
        for seed in 1..6 {
            let (mut story, _) = told(name, seed);
            // The repair of a refused change has to outlive its retries; a scaled deployment is healed.
            story.refresh();
            story.pass(400_000);
            let truth = story.simulation.truth("tomoda").unwrap();
            let status = story.application()["status"].clone();
            let place = format!("{name} at seed {seed}: {truth:?}\n{status:#}");
            assert!(truth.holds_head, "{place}");
            assert_eq!(status["sync"]["status"], "Synced", "{place}");
            assert_eq!(status["sync"]["revision"], json!(truth.head), "{place}");
            let health = if name == &"3-never-starts" { "Degraded" } else { "Healthy" };
            assert_eq!(status["health"]["status"], health, "{place}");
            assert_eq!(truth.rolled_out, health == "Healthy", "{place}");
        }
    }
}

#[test]
fn an_answer_is_never_older_than_the_request() {
    for seed in 1..40 {
        let mut story = Story::begin(timing("1-new-tag", seed), Duration::from_millis(seed * 61 % 1000));
        for round in 0..6_u64 {
            story.push_tag(&format!("dev-000010{round}"));
            let requested = story.now;
            story.refresh();
            while story.application()["metadata"]["annotations"].get("argocd.argoproj.io/refresh").is_some() {
                story.pass(5);
                assert!(story.now.duration_since(requested).as_secs() < 60, "seed {seed}: never answered");
            }
            let answered: jiff::Timestamp = story.application()["status"]["reconciledAt"].as_str().unwrap().parse().unwrap();
            assert!(answered.as_second() >= requested.as_second(), "seed {seed}, round {round}: {answered} answers {requested}");
            story.pass(seed * 13 % 400);
        }
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    assert_eq!(told("4-way-back", 7).1, told("4-way-back", 7).1);
}

/// The shape of what is written: every field of the recording, and none that a real one does not have.
#[test]
fn the_application_has_the_recorded_fields() {
    let mut real = std::collections::BTreeSet::new();
    for name in STORIES {
        recorded_applications(name).iter().for_each(|it| fields(it, String::new(), &mut real));
    }
    let mut ours = std::collections::BTreeSet::new();
    for name in STORIES {
        told(name, 0).0.states.iter().for_each(|it| fields(it, String::new(), &mut ours));
    }
    // The recorder left these out; every real Application has them.
    let unrecorded =
        ["/status/history", "/status/controllerNamespace", "/metadata/uid", "/apiVersion", "/kind", "/spec/syncPolicy/syncOptions"];
    let extra: Vec<_> = ours.difference(&real).filter(|it| !unrecorded.iter().any(|known| it.starts_with(known))).collect();
    assert!(extra.is_empty(), "a real Application does not have {extra:?}");
    // The healing operation depends on the order of the loops; the recorder wrote `null` where nothing was.
    let missing: Vec<_> = real.difference(&ours).filter(|it| !it.contains("autoHeal") && !it.contains("/resources/*/")).collect();
    assert!(missing.is_empty(), "the recorded Applications also have {missing:?}");
}

fn fields(value: &Value, path: String, into: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().filter(|(_, it)| !it.is_null()).for_each(|(name, it)| fields(it, format!("{path}/{name}"), into)),
        Value::Array(list) => list.iter().for_each(|it| fields(it, format!("{path}/*"), into)),
        _ => drop(into.insert(path)),
    }
}

#[test]
fn the_messages_are_the_recorded_ones() {
    let (broken, _) = told("5-does-not-build", 0);
    let said = |states: &[Value]| -> Vec<String> {
        let all = states.iter().flat_map(|it| it["status"]["conditions"].as_array().cloned().unwrap_or_default());
        all.map(|it| it["message"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(said(&broken.states).first(), said(&recorded_applications("5-does-not-build")).first());
    let without_times = |states: &[Value]| -> Vec<String> {
        let messages = states.iter().filter_map(|it| it["status"]["operationState"]["message"].as_str().map(str::to_owned));
        let mut all: Vec<String> = messages.map(|it| it.split(" at ").next().unwrap().to_owned()).collect();
        all.dedup();
        all
    };
    let (refused, _) = told("6-api-refuses", 0);
    assert_eq!(without_times(&refused.states), without_times(&recorded_applications("6-api-refuses")));
    assert!(OVERLAY.starts_with("bench/"), "the recorded message names this path");
}

/// A rolling update goes through the recorded counts; what the controllers see between two pods may differ.
#[test]
fn a_rolling_update_goes_through_the_recorded_reasons() {
    let reasons = |objects: &[Value]| -> Vec<String> {
        let progressing = objects.iter().flat_map(|it| it["status"]["conditions"].as_array().cloned().unwrap_or_default());
        let mut all: Vec<String> =
            progressing.filter(|it| it["type"] == "Progressing").map(|it| format!("{} {}", it["status"], it["reason"])).collect();
        all.dedup();
        all
    };
    for name in ["1-new-tag", "3-never-starts"] {
        let real: Vec<Value> = recorded(name).into_iter().filter(|it| it["kind"] == "Deployment").map(|it| it["object"].clone()).collect();
        let mut story = Story::begin(timing(name, 0), Duration::from_millis(120));
        let from = story.simulation.store().version();
        let before = story.deployment();
        tell(name, &mut story);
        let changes = story.simulation.store().since(from).ok().unwrap();
        let ours: Vec<Value> = std::iter::once(before)
            .chain(changes.filter(|it| it.key.kind == "Deployment").map(|it| Value::clone(it.after.as_ref().unwrap())))
            .collect();
        let mut wanted = reasons(&real);
        if name == "3-never-starts" {
            // That template had run before in the recording.
            wanted.insert(1, "\"True\" \"NewReplicaSetCreated\"".to_owned());
        }
        assert_eq!(reasons(&ours), wanted, "{name}");
        let versions: Vec<u64> = ours.iter().map(|it| it["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()).collect();
        assert!(versions.is_sorted(), "{versions:?}");
        let generations = ours.iter().filter_map(|it| it["metadata"]["generation"].as_u64());
        assert_eq!(generations.max(), Some(2), "only the change of the template counts");
    }
}

#[test]
fn an_image_that_is_not_there_is_named_by_its_pods() {
    let mut story = Story::begin(timing("1-new-tag", 0), Duration::ZERO);
    story.push_tag("absent-1");
    story.refresh();
    story.pass(30_000);
    let pods = story.simulation.store().list("", "Pod", Some("tomoda"));
    let reasons: Vec<Value> = pods.map(|(_, it)| it["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].clone()).collect();
    assert!(reasons.contains(&json!("ImagePullBackOff")), "{reasons:?}");
    assert_eq!(story.application()["status"]["health"]["status"], "Degraded");
    let running = story.simulation.running("tomoda", "tomoda-api").unwrap();
    assert!(running.available && running.image.ends_with("dev-0000001"), "the old pods stay: {running:?}");
    assert!(!story.simulation.truth("tomoda").unwrap().rolled_out);
}

#[test]
fn retries_end_and_the_failure_stays() {
    let mut story = Story::begin(timing("6-api-refuses", 0), Duration::ZERO);
    let refused = story.push_deployment("dev-0000001", "selector");
    story.refresh();
    story.pass(1_000_000);
    let status = story.application()["status"].clone();
    let state = &status["operationState"];
    assert_eq!((&state["phase"], &state["retryCount"]), (&json!("Failed"), &json!(5)), "{status:#}");
    assert!(state["message"].as_str().unwrap().ends_with("field is immutable (retried 5 times)."), "{state:#}");
    assert_eq!(status["conditions"][0]["type"], "SyncError", "{status:#}");
    let message = status["conditions"][0]["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("Failed last sync attempt to {refused}: ")), "{message}");
}

#[test]
fn a_repository_that_does_not_answer_keeps_the_request() {
    let mut story = Story::begin(timing("1-new-tag", 0), Duration::ZERO);
    story.push_tag("dev-0000002");
    let (there, away) = (story.repo.path(), story.repo.path().with_extension("away"));
    std::fs::rename(&there, &away).unwrap();
    story.refresh();
    story.pass(5_000);
    assert!(story.application()["metadata"]["annotations"].get("argocd.argoproj.io/refresh").is_some());
    std::fs::rename(&away, &there).unwrap();
    story.pass(5_000);
    assert!(story.application()["metadata"].get("annotations").is_none());
    assert_eq!(story.simulation.running("tomoda", "tomoda-api").unwrap().image, "registry.example/tomoda/backend:dev-0000002");
}
