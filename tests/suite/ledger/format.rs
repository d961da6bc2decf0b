//! The format: frozen bytes, round trips, and what the tip says is what was said.

use std::path::PathBuf;

use proptest::prelude::*;
use tomoda_release::model::*;

use super::stage::*;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/ledger/golden").join(name)
}

/// The payloads of a ledger of every event, with what is random or hangs on it replaced.
fn payloads() -> Vec<(String, String)> {
    let stage = Stage::new();
    let ledger = stage.ledger("w");
    let mut tip = None;
    for (second, (_, events)) in (0..).zip(every_event()) {
        tip = Some(recorded(ledger.append(tip.as_ref(), &events, at(second), &actor()).unwrap()));
    }
    assert!(ledger.verify(None).unwrap().ok(), "{:?}", ledger.verify(None).unwrap().findings);
    let names = ["genesis".to_owned()].into_iter().chain(every_event().into_iter().map(|it| it.0.to_owned()));
    let shown = |it: &Forged| {
        let mut value: serde_json::Value = serde_json::from_slice(&it.payload()).unwrap();
        let ledger = &mut value["predicate"]["ledger"];
        ledger["nonce"] = "0".repeat(32).into();
        if ledger["seq"] != 0 {
            ledger["id"] = format!("sha256:{}", "1".repeat(64)).into();
            ledger["prev"] = serde_json::json!({ "payloadSha256": "2".repeat(64), "commit": "3".repeat(40) });
            for subject in value["subject"].as_array_mut().unwrap() {
                if subject["name"].as_str().unwrap().starts_with("ledger record") {
                    subject["digest"]["sha256"] = "2".repeat(64).into();
                }
            }
        }
        format!("{value:#}\n")
    };
    names.zip(stage.chain().iter().map(shown)).collect()
}

/// A promotion that goes well and two runs that do not: every kind of event once at least.
fn every_event() -> Vec<(&'static str, Vec<Event>)> {
    let run = RunId::parse("prod.v1.4.0").unwrap();
    let version = Version::parse("1.4.0").unwrap();
    let brief = Brief {
        commits: vec![BriefCommit { id: commit_id(7), subject: "feat: “café” 🍵\t\u{1}".into(), class: "minor".into() }],
        cut: None,
    };
    let mut planned = plan("prod", 7);
    planned.kind = RunKind::Promotion;
    planned.moves[0].digest = None;
    planned.warnings = vec!["It is Friday.".into()];
    planned.tag = Some(PlannedTag {
        name: "v1.4.0".into(),
        version,
        previous: Some(Version::parse("1.3.2").unwrap()),
        level: Some(Level::Minor),
        commit: commit_id(7),
        release: None,
        exists: false,
        brief,
    });
    let step = |step: Step| Event::Intended { run: run.clone(), step };
    let did = |number| Event::Did { run: run.clone(), outcome: landed(number) };
    let cut = TagCut {
        run: run.clone(),
        name: "v1.4.0".into(),
        version,
        commit: commit_id(7),
        release: None,
        message: "v1.4.0\n".into(),
        time: 1_790_000_000,
    };
    let write = OverlayWrite {
        run: run.clone(),
        environment: planned.environment.clone(),
        overlay: RepoPath::parse("overlays/prod").unwrap(),
        moves: vec![image_move(7)],
        version: Some(version),
    };
    let built = Built {
        component: ComponentName::parse("backend").unwrap(),
        id: "b-1".into(),
        log_url: "https://builds.example/b-1".into(),
        commit: Some(commit_id(7)),
        digest: digest(7),
    };
    let passed = |position: usize, gate: &str| Event::Passed {
        run: run.clone(),
        position,
        gate: gate.into(),
        evidence: Evidence::default().fact("replicas", "3 of 3").fact("digest", "sha256:7"),
    };
    let page = PageWrite { run: run.clone(), tag: "v1.4.0".into(), body: "## v1.4.0\n".into() };
    let adopted = Outcome::Landed { object: None, reference: "https://forge.example/releases/1".into(), adopted: true };
    let mut proved = proved("prod", 7);
    (proved.run, proved.version) = (run.clone(), Some(version));
    let [released_opened, branch_intended, branch_advanced] = release_commit(planned.clone(), &cut);
    let [opened, ..] = story("dev", 1);
    let [opened_again, ..] = story("dev", 2);
    vec![
        ("promotion-opened", vec![Event::Opened { run: run.clone(), plan: planned, first: Some(Step::CutTag(cut)) }]),
        ("tag-cut", vec![did(8)]),
        ("built-and-writing", vec![Event::Built { run: run.clone(), builds: vec![built] }, step(Step::WriteOverlay(write))]),
        ("written", vec![did(9)]),
        ("gate-passed", vec![passed(0, "rollout")]),
        ("page-intended", vec![step(Step::PublishPage(page))]),
        ("page-adopted", vec![Event::Did { run: run.clone(), outcome: adopted }]),
        ("completed", vec![passed(1, "soak 60s"), Event::Completed { run: run.clone(), proved }]),
        ("bump-opened", opened),
        ("write-refused", vec![Event::Did { run: run_id("dev", 1), outcome: Outcome::Refused { why: "The branch is protected.".into() } }]),
        ("failed", vec![Event::Failed { run: run_id("dev", 1), why: "The branch is protected.".into() }]),
        ("bump-opened-again", opened_again),
        ("superseded", vec![Event::Superseded { run: run_id("dev", 2), by: "commit 1234567".into() }]),
        ("release-commit-opened", vec![released_opened]),
        ("branch-intended", vec![landed_as(&release_run(), 8), branch_intended]),
        ("branch-advanced", vec![branch_advanced]),
    ]
}

fn release_run() -> RunId {
    RunId::parse("prod.v1.5.0").unwrap()
}

fn landed_as(run: &RunId, number: u32) -> Event {
    Event::Did { run: run.clone(), outcome: landed(number) }
}

/// A promotion that stands at a release commit: what it adds to the wire.
fn release_commit(mut planned: Plan, cut: &TagCut) -> [Event; 3] {
    let run = release_run();
    let release = ReleaseCommit {
        onto: commit_id(7),
        files: vec![RepoPath::parse("VERSION").unwrap(), RepoPath::parse("web/package.json").unwrap()],
        replaces: Version::parse("1.4.0").ok(),
    };
    let (name, version, commit) = ("v1.5.0".to_owned(), Version::parse("1.5.0").unwrap(), commit_id(11));
    let tag = planned.tag.as_mut().unwrap();
    (tag.name, tag.version, tag.commit, tag.release) = (name.clone(), version, commit.clone(), Some(release.clone()));
    let cut = TagCut { run: run.clone(), name: name.clone(), version, commit: commit.clone(), release: Some(release), ..cut.clone() };
    let advance = BranchAdvance { run: run.clone(), tag: name, commit, onto: commit_id(7) };
    [
        Event::Opened { run: run.clone(), plan: planned, first: Some(Step::CutTag(cut)) },
        Event::Intended { run: run.clone(), step: Step::AdvanceBranch(advance) },
        landed_as(&run, 11),
    ]
}

/// What stands in these files was signed somewhere: it has to be written and read like this for ever.
#[test]
fn the_bytes_of_version_1_are_frozen() {
    let update = std::env::var_os("TOMODA_BLESS").is_some();
    for (number, (name, text)) in payloads().into_iter().enumerate() {
        let file = golden(&format!("{number:02}-{name}.json"));
        if update {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        let frozen = std::fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        assert_eq!(text, frozen, "{} drifted: version 1 is frozen, make version 2 beside it", file.display());
    }
}

/// Whole files as another computer signed them once: the reader of today has to believe them.
#[test]
fn a_ledger_of_the_past_still_passes() {
    let stage = Stage::new();
    let folder = golden("ledger");
    if std::env::var_os("TOMODA_BLESS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        stage.play(1);
        for (number, it) in stage.chain().iter().enumerate() {
            std::fs::write(folder.join(format!("{number}.record.json")), &it.file).unwrap();
            std::fs::write(folder.join(format!("{number}.message")), &it.message).unwrap();
        }
    }
    let chain: Vec<Forged> = (0..4)
        .map(|number| Forged {
            file: std::fs::read(folder.join(format!("{number}.record.json"))).unwrap(),
            message: std::fs::read_to_string(folder.join(format!("{number}.message"))).unwrap(),
            extra: vec![],
            keep: None,
            merge: false,
        })
        .collect();
    // The commits are made here as the program makes them, so that they have the ids that the records name.
    stage.force_as_written(&chain);
    let report = stage.ledger("v").verify(None).unwrap();
    assert!(report.ok(), "{:#?}", report.findings);
    assert_eq!(report.records, 4);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "\\PC{0,40}", prop::collection::vec(any::<char>(), 0..20).prop_map(String::from_iter)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is said, the tip says the same again, and the record passes.
    #[test]
    fn whatever_is_written_is_read_again(
        warnings in prop::collection::vec(text(), 0..3),
        gate in text(),
        name in text(),
        value in text(),
        why in text(),
        from in prop::option::of(text()),
        initiator in text(),
        nanoseconds in 0_i64..4_000_000_000_000_000_000,
        subjects in prop::collection::vec(text(), 0..4),
    ) {
        let stage = Stage::new();
        let ledger = stage.ledger("w");
        let mut planned = plan("dev", 1);
        (planned.warnings, planned.gates) = (warnings, vec![gate.clone(), "last".into()]);
        planned.moves[0].from = Pin { tag: from, digest: None };
        let commit = |subject| BriefCommit { id: commit_id(1), subject, class: "minor".into() };
        let brief = Brief { commits: subjects.into_iter().map(commit).collect(), cut: None };
        let version = Version::parse("1.4.0").unwrap();
        planned.tag = Some(PlannedTag { name: "v1.4.0".into(), version, previous: None, level: None, commit: commit_id(1), release: None, exists: true, brief });
        let now = jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap();
        let actor = Actor { initiator, executor: "x".into() };
        let evidence = Evidence::default().fact(&name, value);
        let run = run_id("dev", 1);
        let events = [
            Event::Opened { run: run.clone(), plan: planned.clone(), first: None },
            Event::Passed { run: run.clone(), position: 0, gate, evidence: evidence.clone() },
        ];
        let tip = recorded(ledger.append(None, &events, now, &actor).unwrap());
        let read = stage.ledger("r").tip().unwrap().unwrap();
        prop_assert_eq!(&read, &tip);
        let open = read.state.open.values().next().unwrap();
        prop_assert_eq!(&open.plan, &planned);
        prop_assert_eq!(&open.passed[0].evidence, &evidence);
        prop_assert_eq!(&open.by, &actor.initiator);
        recorded(ledger.append(Some(&tip), &[Event::Failed { run, why }], now, &actor).unwrap());
        prop_assert!(ledger.verify(None).unwrap().ok());
    }
}
