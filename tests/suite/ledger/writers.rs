//! Writers: many at once, one that dies, one whose clock is wrong, and what an append costs.

use std::thread;
use std::time::{Duration, Instant};

use tomoda_release::error::Kind;
use tomoda_release::model::{Event, PipelineName};
use tomoda_release::record::{AppendOutcome, Ledger, Tip};

use super::stage::*;

#[test]
fn eight_writers_at_once_all_land_on_one_line() {
    let stage = Stage::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    thread::scope(|scope| {
        for writer in 0..8 {
            let stage = &stage;
            scope.spawn(move || {
                let environment = format!("env-{writer}");
                let ledger = stage.ledger(&format!("cache-{writer}"));
                let mut events = story(&environment, 0).into_iter().chain(story(&environment, 1)).take(5);
                let mut next = events.next();
                while let Some(batch) = &next {
                    assert!(Instant::now() < deadline, "writer {writer} starves");
                    let tip = ledger.tip().unwrap();
                    match ledger.append(tip.as_ref(), batch, at(1), &actor()).unwrap() {
                        AppendOutcome::Recorded(_) => next = events.next(),
                        AppendOutcome::Lost => {}
                    }
                }
            });
        }
    });
    let report = stage.ledger("verifier").verify(None).unwrap();
    assert!(report.ok(), "{:#?}", report.findings);
    assert_eq!(report.records, 41, "eight writers, five records each, and the genesis");
    let tip = stage.ledger("verifier").tip().unwrap().unwrap();
    assert_eq!((tip.state.open.len(), tip.state.proved.len()), (8, 8));
}

#[test]
fn a_second_genesis_loses() {
    let stage = Stage::new();
    let (one, two) = (stage.ledger("one"), stage.ledger("two"));
    recorded(one.append(None, &story("dev", 0)[0], at(0), &actor()).unwrap());
    assert_eq!(two.append(None, &story("dev", 0)[0], at(0), &actor()).unwrap(), AppendOutcome::Lost);
}

#[test]
fn an_append_on_an_old_tip_loses_and_writes_nothing() {
    let stage = Stage::new();
    let ledger = stage.ledger("one");
    let [open, done, _] = story("dev", 0);
    let first = recorded(ledger.append(None, &open, at(0), &actor()).unwrap());
    let second = recorded(ledger.append(Some(&first), &done, at(1), &actor()).unwrap());
    assert_eq!(stage.ledger("two").tip().unwrap().unwrap(), second);
    assert_eq!(ledger.append(Some(&first), &done, at(2), &actor()).unwrap(), AppendOutcome::Lost);
    assert_eq!(ledger.tip().unwrap().unwrap(), second);
}

/// A writer that dies before the push leaves nothing; one that dies after it has said everything. Either way the next one goes on.
#[test]
fn a_writer_that_dies_before_or_after_the_push() {
    let [open, done, end] = story("dev", 0);
    for died_after_the_push in [false, true] {
        let stage = Stage::new();
        let tip = recorded(stage.ledger("one").append(None, &open, at(0), &actor()).unwrap());
        let origin = git2::Repository::open_bare(stage.origin()).unwrap();
        let before = origin.refname_to_id(&format!("refs/heads/{BRANCH}")).unwrap();
        recorded(stage.ledger("one").append(Some(&tip), &done, at(1), &actor()).unwrap());
        if !died_after_the_push {
            origin.reference(&format!("refs/heads/{BRANCH}"), before, true, "as if it had not arrived").unwrap();
        }
        // The same computer, a new process: what its cache holds of the lost attempt must not matter.
        let ledger = stage.ledger("one");
        let mut tip = ledger.tip().unwrap().unwrap();
        let run = tip.state.open.values().next().unwrap();
        assert_eq!(run.intended.is_none(), died_after_the_push);
        if run.intended.is_some() {
            tip = recorded(ledger.append(Some(&tip), &done, at(2), &actor()).unwrap());
        }
        tip = recorded(ledger.append(Some(&tip), &end, at(3), &actor()).unwrap());
        assert!(tip.state.open.is_empty());
        let report = stage.ledger("verifier").verify(None).unwrap();
        assert!(report.ok(), "{:?}", report.findings);
        assert_eq!(report.records, 4);
    }
}

#[test]
fn a_clock_that_went_back_is_not_hidden() {
    let stage = Stage::new();
    let ledger = stage.ledger("one");
    let [open, done, _] = story("dev", 0);
    let first = recorded(ledger.append(None, &open, at(1000), &actor()).unwrap());
    let second = recorded(ledger.append(Some(&first), &done, at(10), &actor()).unwrap());
    assert_eq!(second.at, at(1000));
    let record = ledger.newest(1, None).unwrap().entries.remove(0).record.unwrap();
    assert_eq!((record.at, record.clock), (at(1000), Some(at(10))));
    assert!(ledger.verify(None).unwrap().ok());
}

#[test]
fn what_is_recorded_is_what_is_read() {
    let stage = Stage::new();
    let ledger = stage.ledger("one");
    let mut tip: Option<Tip> = None;
    for events in story("dev", 0) {
        let nanoseconds = at(5) + Duration::from_nanos(123_456_789);
        tip = Some(recorded(ledger.append(tip.as_ref(), &events, nanoseconds, &actor()).unwrap()));
        assert_eq!(stage.ledger("two").tip().unwrap(), tip);
    }
}

#[test]
fn an_event_that_cannot_follow_is_never_signed() {
    let stage = Stage::new();
    let ledger = stage.ledger("one");
    let did = Event::Did { run: run_id("dev", 0), outcome: landed(1) };
    let error = ledger.append(None, &[did], at(0), &actor()).unwrap_err();
    assert_eq!(error.kind(), Kind::Bug);
    assert!(error.to_string().contains("dev.0 is not open"), "{error}");
    assert_eq!(ledger.tip().unwrap(), None);
}

#[test]
fn a_brief_of_ten_thousand_commits_fits() {
    use tomoda_release::model::*;
    let stage = Stage::new();
    let ledger = stage.ledger("one");
    let commit = |n: u32| BriefCommit { id: commit_id(n), subject: format!("feat: {}", "long ".repeat(60)), class: "minor".into() };
    let mut plan = plan("prod", 0);
    let version = Version::parse("1.2.3").unwrap();
    let brief = Brief { commits: (0..10_000).map(commit).collect(), cut: None };
    let tag = PlannedTag {
        name: "v1.2.3".into(),
        version,
        previous: None,
        level: None,
        commit: commit_id(1),
        release: None,
        exists: false,
        brief,
    };
    plan.tag = Some(tag);
    let run = run_id("prod", 0);
    let tip = recorded(ledger.append(None, &[Event::Opened { run: run.clone(), plan, first: None }], at(0), &actor()).unwrap());
    let kept = tip.state.open.values().next().unwrap().plan.tag.as_ref().unwrap().brief.clone();
    assert!((10..10_000).contains(&kept.commits.len()), "{}", kept.commits.len());
    assert_eq!(kept.cut.as_ref().unwrap().count, 10_000);
    let page = Step::PublishPage(PageWrite { run: run.clone(), tag: "v1.2.3".into(), body: "word ".repeat(100_000) });
    let tip = recorded(ledger.append(Some(&tip), &[Event::Intended { run: run.clone(), step: page }], at(0), &actor()).unwrap());
    let again = tip.state.open.values().next().unwrap().plan.tag.as_ref().unwrap().brief.clone();
    assert_eq!(again, kept, "what is said of the whole stays said");
    let why = Outcome::Refused { why: "x".repeat(1_000_000) };
    recorded(ledger.append(Some(&tip), &[Event::Did { run, outcome: why }], at(0), &actor()).unwrap());
    assert!(ledger.verify(None).unwrap().ok());
}

#[test]
fn keys_that_cannot_sign_are_refused_without_being_shown() {
    let stage = Stage::new();
    let name = PipelineName::parse("shop").unwrap();
    let open = |secret: &str| {
        let key = tomoda_release::model::Secret::new(secret);
        Ledger::new(stage.store("c"), &settings(&[1]), Some(key), &name).err().expect(secret)
    };
    let made = |name: &str, arguments: &[&str]| {
        let file = stage.dir.path().join(name);
        let status = std::process::Command::new("ssh-keygen").args(["-q", "-f"]).arg(&file).args(arguments).status();
        status.is_ok_and(|it| it.success()).then(|| std::fs::read_to_string(file).unwrap())
    };
    let mut cases = vec![
        ("garbage-secret".to_owned(), "not an OpenSSH private key"),
        (public(1), "public key"),
        ("-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----".to_owned(), "another format"),
        (private(1).expose()[..200].to_owned(), "not an OpenSSH private key"),
        (private(2).expose().to_owned(), "not among the trusted"),
    ];
    match (made("rsa", &["-t", "rsa", "-b", "2048", "-N", ""]), made("locked", &["-t", "ed25519", "-N", "hunter22"])) {
        (Some(rsa), Some(locked)) => cases.extend([(rsa, "only ssh-ed25519"), (locked, "passphrase")]),
        _ if std::env::var_os("TOMODA_REAL").is_some() => panic!("ssh-keygen is missing"),
        _ => eprintln!("skipped: ssh-keygen is missing"),
    }
    for (secret, why) in cases {
        let error = open(&secret);
        let said = format!("{} {:?} {error:?}", error.chain(), error.hint_text());
        assert_eq!(error.kind(), Kind::Config, "{said}");
        assert!(said.contains(why), "{said} does not contain {why}");
        let line = secret.lines().nth(1).unwrap_or(&secret);
        assert!(!said.contains(&line[..line.len().min(30)]) || why == "public key", "{said}");
    }
}

#[test]
fn trusted_keys_that_are_none_are_named_all_at_once() {
    let stage = Stage::new();
    let mut settings = settings(&[1]);
    settings.trusted.push(("bob".into(), "ssh-ed25519 AAAA".into()));
    settings.trusted.push(("carol".into(), "hello".into()));
    let said = Ledger::new(stage.store("c"), &settings, None, &PipelineName::parse("shop").unwrap()).err().unwrap().to_string();
    assert!(said.contains("bob") && said.contains("carol"), "{said}");
    settings.trusted.clear();
    assert!(Ledger::new(stage.store("c"), &settings, None, &PipelineName::parse("shop").unwrap()).is_err());
}

#[test]
fn reading_needs_no_key_and_writing_says_so() {
    let stage = Stage::new();
    stage.play(1);
    let ledger = Ledger::new(stage.store("c"), &settings(&[1]), None, &PipelineName::parse("shop").unwrap()).unwrap();
    let tip = ledger.tip().unwrap().unwrap();
    let error = ledger.append(Some(&tip), &story("dev", 9)[0], at(0), &actor()).unwrap_err();
    assert!(error.to_string().contains("no signing key"), "{error}");
}

/// An append fetches the tip and pushes one commit, one tree, one blob: at record 10 as at record 10,000.
#[test]
fn an_append_costs_the_same_at_any_length() {
    let objects = |length: usize| {
        let stage = Stage::new();
        stage.play(3);
        let chain = stage.chain();
        if length > chain.len() {
            lengthen(&stage, length);
        }
        let writer = stage.ledger("fresh");
        let count = || {
            let origin = git2::Repository::open_bare(stage.origin()).unwrap();
            let mut count = 0;
            origin
                .odb()
                .unwrap()
                .foreach(|_| {
                    count += 1;
                    true
                })
                .unwrap();
            count
        };
        let before = count();
        let tip = writer.tip().unwrap().unwrap();
        assert_eq!(tip.seq as usize + 1, length);
        recorded(writer.append(Some(&tip), &story("prod", 0)[0], at(9_999_999), &actor()).unwrap());
        let mut cached = 0;
        for folder in std::fs::read_dir(stage.dir.path().join("fresh")).unwrap() {
            for depth in ["tips.git", "full.git"] {
                if let Ok(repository) = git2::Repository::open_bare(folder.as_ref().unwrap().path().join(depth)) {
                    repository
                        .odb()
                        .unwrap()
                        .foreach(|_| {
                            cached += 1;
                            true
                        })
                        .unwrap();
                }
            }
        }
        (count() - before, cached)
    };
    let short = objects(10);
    assert!(short.0 == 3 && short.1 <= 8, "pushed: commit, tree, blob; cached: those, the tip's three, and git's empty tree: {short:?}");
    assert_eq!(objects(10_000), short);
}

/// Puts records in between that only git and the tip care about: the tip says `length - 1` and stands on that many commits.
fn lengthen(stage: &Stage, length: usize) {
    let chain = stage.chain();
    let last = chain.last().unwrap();
    let mut long = vec![chain[0].clone()];
    for number in 1..length - 1 {
        long.push(Forged { keep: None, message: format!("filler {number}"), ..chain[1].clone() });
    }
    let seq = format!("\"seq\":{},", length - 1);
    long.push(last.clone().signed_by(1, |it| it.replace("\"seq\":9,", &seq)));
    stage.force(&long);
}

/// The server dies after it moved the branch and before it could say so; meanwhile somebody appends on top.
#[test]
fn a_lost_answer_is_looked_up_and_nothing_is_written_twice() {
    for somebody_goes_on in [false, true] {
        let stage = Stage::new();
        stage.play(1);
        let flag = |name: &str| stage.dir.path().join(name);
        let hook = stage.origin().join("hooks/reference-transaction");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = committed ] && [ ! -e '{0}' ] || exit 0\n: > '{0}'\nwhile [ ! -e '{1}' ]; do sleep 0.05; done\nkill -9 $PPID\n",
            flag("moved").display(),
            flag("die").display()
        );
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, script).unwrap();
        std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let ledger = stage.ledger("one");
        let tip = ledger.tip().unwrap().unwrap();
        let outcome = thread::scope(|scope| {
            let appending = scope.spawn(|| ledger.append(Some(&tip), &story("dev", 5)[0], at(500), &actor()));
            let deadline = Instant::now() + Duration::from_secs(30);
            while !flag("moved").exists() {
                assert!(Instant::now() < deadline, "the hook never ran");
                thread::sleep(Duration::from_millis(10));
            }
            if somebody_goes_on {
                let other = stage.ledger("two");
                let tip = other.tip().unwrap().unwrap();
                recorded(other.append(Some(&tip), &story("prod", 6)[0], at(501), &actor()).unwrap());
            }
            std::fs::write(flag("die"), "").unwrap();
            appending.join().unwrap()
        });
        let ours = recorded(outcome.unwrap());
        assert_eq!(ours.seq, tip.seq + 1);
        let report = stage.ledger("verifier").verify(None).unwrap();
        assert!(report.ok(), "{:?}", report.findings);
        assert_eq!(report.records, tip.seq + 2 + u64::from(somebody_goes_on));
    }
}
