//! The `ledger` command as a person and a program meet it.

use std::process::{Command, Output};

use serde_json::Value;

use super::stage::*;

fn run(stage: &Stage, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tomoda-release"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", stage.dir.path())
        .args(["ledger", "--repo", &stage.url(), "--branch", BRANCH, "--trusted", &format!("release-bot {}", public(1))])
        .args(arguments)
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn verify_says_whole_or_what_is_wrong() {
    let stage = Stage::new();
    let tip = stage.play(1);
    let whole = run(&stage, &["verify", "--output", "json"]);
    assert_eq!(whole.status.code(), Some(0), "{}", String::from_utf8_lossy(&whole.stderr));
    let value = json(&whole);
    assert_eq!((&value["ok"], &value["records"], &value["head"]["seq"]), (&true.into(), &4.into(), &3.into()));
    assert_eq!(value["head"]["commit"], tip.commit.as_str());
    assert_eq!(value["findings"], serde_json::json!([]));
    assert!(stdout(&run(&stage, &["verify"])).starts_with("The ledger is whole: 4 records checked. Last: 3:"));

    let head = format!("3:{}", value["head"]["payload"].as_str().unwrap());
    assert_eq!(run(&stage, &["verify", "--expect-head", &head]).status.code(), Some(0));
    assert_eq!(run(&stage, &["verify", "--expect-head", "3:abc"]).status.code(), Some(2));

    stage.force(&stage.chain()[..3]);
    let cut = run(&stage, &["verify", "--output", "json"]);
    assert_eq!(cut.status.code(), Some(5), "this computer remembers");
    assert_eq!(json(&cut)["ok"], false);
    assert_eq!(json(&cut)["findings"][0]["kind"], "truncated");
    let elsewhere = stage.dir.path().join("elsewhere");
    let elsewhere = elsewhere.to_str().unwrap();
    assert_eq!(run(&stage, &["verify", "--cache-dir", elsewhere]).status.code(), Some(0), "another one does not");
    assert_eq!(run(&stage, &["verify", "--cache-dir", elsewhere, "--expect-head", &head]).status.code(), Some(5));
    let words = run(&stage, &["verify"]);
    assert!(stdout(&words).contains("truncated"), "{}", stdout(&words));
    let log = run(&stage, &["log"]);
    assert!(String::from_utf8_lossy(&log.stderr).contains("Record 3 was seen here before"), "{log:?}");
    assert_eq!(json(&run(&stage, &["log", "--output", "json"]))["lost"]["seq"], 3);
    assert_eq!(json(&run(&stage, &["log", "--output", "json", "--cache-dir", elsewhere]))["lost"], Value::Null);
}

#[test]
fn an_empty_repository_and_a_wrong_branch_do_not_pass() {
    let stage = Stage::new();
    let output = run(&stage, &["verify", "--output", "json"]);
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(json(&output)["findings"][0]["kind"], "missing");
    stage.play(1);
    assert_eq!(run(&stage, &["verify", "--branch", "mian"]).status.code(), Some(5));
}

#[test]
fn log_tells_the_story_newest_first() {
    let stage = Stage::new();
    stage.play(2);
    let output = run(&stage, &["log"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = stdout(&output);
    let numbers: Vec<&str> = text.lines().filter_map(|it| it.strip_prefix('#')?.split(' ').next()).collect();
    assert_eq!(numbers, ["6", "5", "4", "3", "2", "1", "0"]);
    for said in [
        "github:alice",
        "The ledger of the pipeline shop begins.",
        "  dev.1  github:alice, signed by release-bot\n    bump of dev (backend dev-0 → dev-0000001) opened. First: write overlays/dev",
        "gate rollout passed: ready 3 of 3.",
        "completed; proved backend dev-0000001 at 0000000.",
    ] {
        assert!(text.contains(said), "{said} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour into a pipe");
    assert_eq!(json(&run(&stage, &["log", "--limit", "2", "-o", "json"]))["records"].as_array().unwrap().len(), 2);
    let since = format!("{}", at(100));
    assert_eq!(json(&run(&stage, &["log", "--since", &since, "-o", "json"]))["records"].as_array().unwrap().len(), 3);
    assert_eq!(run(&stage, &["log", "--since", "yesterday"]).status.code(), Some(2));
}

#[test]
fn show_has_the_whole_record_and_the_verdict() {
    let stage = Stage::new();
    let tip = stage.play(1);
    let by_seq = json(&run(&stage, &["show", "3", "-o", "json"]));
    assert!(stdout(&run(&stage, &["show", "3"])).contains("signed by release-bot (SHA256:"));
    assert_eq!(by_seq["signatures"][0]["principal"], "release-bot");
    assert_eq!(by_seq["statement"]["predicate"]["ledger"]["seq"], 3);
    let hash = by_seq["payload"].as_str().unwrap();
    for which in [hash, &hash[..12], &format!("sha256:{hash}"), tip.commit.as_str(), &tip.commit.as_str()[..8]] {
        assert_eq!(json(&run(&stage, &["show", which, "-o", "json"])), by_seq, "{which}");
    }
    assert!(stdout(&run(&stage, &["show", "3"])).contains("\"predicateType\": \"https://tomoda.life/release-ledger/v1\""));
    assert_eq!(run(&stage, &["show", "99"]).status.code(), Some(2));
    assert_eq!(run(&stage, &["show", "hello"]).status.code(), Some(2));

    let mut chain = stage.chain();
    chain[2] = chain[2].clone().with_payload(|it| it.replace("alice", "mallo"));
    stage.force(&chain);
    let output = run(&stage, &["show", "2"]);
    assert_eq!(output.status.code(), Some(5));
    assert!(stdout(&output).contains("altered after release-bot signed it"), "{}", stdout(&output));
}

#[test]
fn keys_may_come_from_a_file() {
    let stage = Stage::new();
    stage.play(1);
    let file = stage.dir.path().join("allowed_signers");
    std::fs::write(&file, format!("# who may sign\n\nrelease-bot {}\n", public(1))).unwrap();
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_tomoda-release"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("XDG_CACHE_HOME", stage.dir.path().join("xdg"))
            .args(["ledger", "verify", "--repo", stage.origin().to_str().unwrap()])
            .args(arguments)
            .output()
            .unwrap()
    };
    assert_eq!(run(&["--trusted-file", file.to_str().unwrap()]).status.code(), Some(0), "and a folder is an address");
    assert!(stage.dir.path().join("xdg/tomoda-release").is_dir());
    assert_eq!(run(&[]).status.code(), Some(2), "nobody is trusted by default");
    assert_eq!(run(&["--trusted", "hello"]).status.code(), Some(2));
    assert_eq!(run(&["--trusted", &public(2)]).status.code(), Some(5));
}
