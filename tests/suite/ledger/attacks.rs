//! Every attack by name: a good ledger is made through `append`, one thing is changed with git alone, `verify` says what.

use tomoda_release::error::Kind;
use tomoda_release::io::git::{Remote, Store};
use tomoda_release::model::{BranchName, RepoUrl};
use tomoda_release::record::{Attack, Head, Ledger, Report};

use super::stage::*;

/// Verifies as somebody would who never saw this ledger.
fn verify(stage: &Stage) -> Report {
    stage.ledger("verifier").verify(None).unwrap()
}

fn found(report: &Report) -> Vec<(Option<u64>, Attack)> {
    report.findings.iter().map(|it| (it.seq, it.kind)).collect()
}

/// Changes a good ledger of ten records and looks for the finding.
fn attack(expected: (u64, Attack), change: impl FnOnce(Vec<Forged>) -> Vec<Forged>) -> Report {
    let stage = Stage::new();
    stage.play(3);
    assert!(verify(&stage).ok(), "{:?}", verify(&stage).findings);
    stage.force(&change(stage.chain()));
    let report = verify(&stage);
    assert!(!report.ok());
    assert!(found(&report).contains(&(Some(expected.0), expected.1)), "{expected:?} is not among {:#?}", report.findings);
    report
}

/// Changes one record.
fn at_place(place: usize, change: impl FnOnce(Forged) -> Forged) -> impl FnOnce(Vec<Forged>) -> Vec<Forged> {
    move |mut chain| {
        let it = change(chain[place].clone());
        chain[place] = Forged { keep: None, ..it };
        chain
    }
}

#[test]
fn a_good_ledger_passes() {
    let stage = Stage::new();
    let tip = stage.play(3);
    let report = verify(&stage);
    assert!(report.ok(), "{:?}", report.findings);
    assert_eq!((report.records, tip.seq), (10, 9));
    assert_eq!(report.head.unwrap().head, Head { seq: 9, payload: tip.payload });
    assert_eq!(report.ledger, Some(tip.ledger));
    assert_eq!(tip.state.open.len(), 0);
    assert_eq!(tip.state.proved.values().next().unwrap().run, run_id("dev", 2));
}

#[test]
fn a_flipped_byte() {
    let flip = |it: String| it.replace("github:alice", "github:mallo");
    let report = attack((4, Attack::Altered), at_place(4, |it| it.with_payload(flip)));
    assert!(found(&report).contains(&(Some(5), Attack::BrokenChain)));
    assert!(found(&report).contains(&(Some(4), Attack::WrongMessage)));
}

#[test]
fn every_byte_of_a_record_matters() {
    let stage = Stage::new();
    stage.play(1);
    let chain = stage.chain();
    for place in (0..chain[2].file.len()).step_by(331) {
        let mut file = chain[2].file.clone();
        file[place] ^= 1;
        let mut forged = chain.clone();
        forged[2] = chain[2].clone().with_file(file);
        stage.force(&forged);
        assert!(!verify(&stage).ok(), "byte {place} of {} was changed and nobody noticed", chain[2].file.len());
    }
}

#[test]
fn two_records_swapped() {
    let report = attack((4, Attack::Swapped), |mut chain| {
        chain.swap(4, 5);
        chain
    });
    assert!(found(&report).contains(&(Some(5), Attack::Dropped)), "5 after 3 looks as if 4 were missing");
}

#[test]
fn a_record_dropped_and_the_rest_hung_on() {
    let report = attack((5, Attack::Dropped), |mut chain| {
        chain.remove(4);
        chain
    });
    assert!(found(&report).contains(&(Some(5), Attack::BrokenChain)));
    assert!(found(&report).contains(&(Some(5), Attack::Reparented)));
}

#[test]
fn the_beginning_cut_off() {
    let report = attack((1, Attack::NoGenesis), |chain| chain[1..].to_vec());
    assert_eq!(report.records, 9);
}

#[test]
fn the_end_cut_off_shows_to_whoever_remembers() {
    let stage = Stage::new();
    let tip = stage.play(3);
    let remembering = stage.remembering("verifier");
    assert!(remembering.verify(None).unwrap().ok());
    stage.force(&stage.chain()[..7]);

    assert!(verify(&stage).ok(), "a prefix of a chain is a chain: who knows nothing sees nothing");
    let kinds = |report: Report| report.findings.into_iter().map(|it| it.kind).collect::<Vec<_>>();
    assert_eq!(kinds(remembering.verify(None).unwrap()), [Attack::Truncated]);
    let expected = Head { seq: tip.seq, payload: tip.payload };
    assert_eq!(kinds(stage.ledger("another").verify(Some(expected)).unwrap()), [Attack::Truncated]);
    let error = remembering.tip().unwrap_err();
    assert_eq!((error.kind(), error.exit_code()), (Kind::Ledger, 5), "and nobody drives on top of it");
}

#[test]
fn the_end_rewritten_with_the_right_key_shows_to_whoever_remembers() {
    let stage = Stage::new();
    let tip = stage.play(1);
    let remembering = stage.remembering("verifier");
    assert!(remembering.verify(None).unwrap().ok());
    let mut chain = stage.chain();
    let last = chain.pop().unwrap();
    chain.push(last.signed_by(1, |it| it.replace("3 of 3", "0 of 3")));
    stage.force(&chain);

    let kinds = |report: Report| report.findings.into_iter().map(|it| it.kind).collect::<Vec<_>>();
    assert!(verify(&stage).ok(), "whoever holds the key writes good records: who knows nothing sees nothing");
    assert_eq!(kinds(remembering.verify(None).unwrap()), [Attack::Rewritten]);
    let expected = Head { seq: tip.seq, payload: tip.payload };
    assert_eq!(kinds(stage.ledger("another").verify(Some(expected)).unwrap()), [Attack::Rewritten]);
    assert_eq!(remembering.tip().unwrap_err().kind(), Kind::Ledger);
}

#[test]
fn the_whole_branch_gone_shows_to_whoever_remembers() {
    let stage = Stage::new();
    stage.play(1);
    let remembering = stage.remembering("verifier");
    assert!(remembering.tip().unwrap().is_some());
    let repository = git2::Repository::open_bare(stage.origin()).unwrap();
    repository.find_reference(&format!("refs/heads/{BRANCH}")).unwrap().delete().unwrap();
    assert_eq!(remembering.tip().unwrap_err().kind(), Kind::Ledger);
    let kinds: Vec<_> = remembering.verify(None).unwrap().findings.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [Attack::Missing, Attack::Truncated]);
}

#[test]
fn two_records_with_one_number() {
    attack((9, Attack::DuplicateSeq), |mut chain| {
        let twin = chain[9].clone();
        chain.push(Forged { keep: None, ..twin });
        chain
    });
}

#[test]
fn a_key_that_nobody_trusts() {
    let report = attack((4, Attack::UntrustedKey), at_place(4, |it| it.signed_by(2, |it| it)));
    assert!(report.findings.iter().any(|it| it.what.contains("does not trust")));
}

#[test]
fn a_key_name_that_lies() {
    let other = key(2).fingerprint(ssh_key::HashAlg::Sha256).to_string();
    attack((4, Attack::KeyIdMismatch), at_place(4, |it| it.with_envelope(|it| it["signatures"][0]["keyid"] = other.into())));
}

#[test]
fn a_key_name_decides_nothing() {
    // Signed by a stranger under the trusted key's name: refused. Signed by the trusted key under a stranger's name: it is the tip.
    let stage = Stage::new();
    let tip = stage.play(1);
    let chain = stage.chain();
    let trusted = key(1).fingerprint(ssh_key::HashAlg::Sha256).to_string();
    let mut forged = chain.clone();
    forged[3] = chain[3].clone().signed_by(2, |it| it).with_envelope(|it| it["signatures"][0]["keyid"] = trusted.into());
    stage.force(&forged);
    assert_eq!(stage.ledger("a").tip().unwrap_err().kind(), Kind::Ledger);
    forged[3] = chain[3].clone().with_envelope(|it| it["signatures"][0]["keyid"] = "SHA256:somebody".into());
    stage.force(&forged);
    assert_eq!(stage.ledger("a").tip().unwrap().unwrap().payload, tip.payload);
}

#[test]
fn one_key_signing_twice() {
    let twice = |it: &mut serde_json::Value| {
        let first = it["signatures"][0].clone();
        it["signatures"].as_array_mut().unwrap().push(first);
    };
    attack((4, Attack::DuplicateSignature), at_place(4, |it| it.with_envelope(twice)));
}

#[test]
fn no_signature_at_all() {
    attack((4, Attack::Unsigned), at_place(4, |it| it.with_envelope(|it| it["signatures"] = serde_json::json!([]))));
}

#[test]
fn a_signature_made_for_something_else() {
    let sign_as_git = |it: &mut serde_json::Value| {
        let payload = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, it["payload"].as_str().unwrap()).unwrap();
        let mut signed = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).into_bytes();
        signed.extend(payload);
        let sig = key(1).sign("git", ssh_key::HashAlg::Sha512, &signed).unwrap().to_pem(ssh_key::LineEnding::LF).unwrap();
        it["signatures"][0]["sig"] = sig.lines().filter(|it| !it.starts_with('-')).collect::<String>().into();
    };
    attack((4, Attack::OtherPurpose), at_place(4, |it| it.with_envelope(sign_as_git)));
}

#[test]
fn a_payload_type_swapped() {
    let report = attack((4, Attack::PayloadType), at_place(4, |it| it.with_envelope(|it| it["payloadType"] = "application/json".into())));
    assert!(found(&report).contains(&(Some(4), Attack::Altered)), "the type is signed, too");
}

#[test]
fn a_record_of_another_ledger() {
    let other = Stage::new();
    other.play(2);
    let foreign = other.chain().remove(4);
    let report = attack((4, Attack::ForeignLedger), |mut chain| {
        chain[4] = Forged { keep: None, ..foreign };
        chain
    });
    assert!(found(&report).contains(&(Some(4), Attack::BrokenChain)));
}

#[test]
fn a_ledger_of_another_pipeline() {
    let stage = Stage::new();
    stage.play(1);
    let name = tomoda_release::model::PipelineName::parse("other").unwrap();
    let ledger = Ledger::new(stage.store("v"), &settings(&[1]), None, &name).unwrap();
    assert_eq!(ledger.verify(None).unwrap().findings[0].kind, Attack::ForeignPipeline);
    assert_eq!(ledger.tip().unwrap_err().kind(), Kind::Ledger);
}

#[test]
fn a_commit_with_another_file() {
    attack(
        (4, Attack::ExtraFiles),
        at_place(4, |mut it| {
            it.extra.push(("run.sh".into(), "echo".into()));
            it
        }),
    );
}

#[test]
fn a_merge_in_the_chain() {
    attack((4, Attack::Merge), at_place(4, |it| Forged { merge: true, ..it }));
}

#[test]
fn a_message_that_tells_another_story() {
    attack(
        (4, Attack::WrongMessage),
        at_place(4, |mut it| {
            it.message = it.message.replace("Ledger-Seq: 4", "Ledger-Seq: 40");
            it
        }),
    );
}

#[test]
fn a_clock_set_back_with_the_right_key() {
    let earlier = |it: String| it.replace("\"recorded\":\"2026-", "\"recorded\":\"2025-");
    attack((4, Attack::ClockBackwards), at_place(4, |it| it.signed_by(1, earlier)));
}

#[test]
fn a_state_that_the_events_do_not_make() {
    let report = attack(
        (9, Attack::WrongState),
        at_place(9, |it| {
            it.signed_by(1, |it| {
                let (events, state) = it.split_once("\"state\"").unwrap();
                format!("{events}\"state\"{}", state.replace("dev-0000002", "dev-0000009"))
            })
        }),
    );
    assert_eq!(found(&report), [(Some(9), Attack::WrongState)]);
}

#[test]
fn an_event_that_cannot_follow() {
    let report = attack((9, Attack::IllegalEvent), at_place(9, |it| it.signed_by(1, |it| it.replace("\"position\":1", "\"position\":0"))));
    assert!(report.findings[0].what.contains("number 1 is next"), "{}", report.findings[0].what);
}

#[test]
fn a_second_genesis() {
    attack((0, Attack::BadGenesis), |mut chain| {
        let genesis = chain[0].clone();
        chain.push(Forged { keep: None, ..genesis });
        chain
    });
}

#[test]
fn text_that_two_readers_read_differently() {
    let payload = |change: fn(String) -> String| at_place(4, move |it: Forged| it.signed_by(1, change));
    attack((4, Attack::Malformed), payload(|it| it.replacen("{", "{\"_type\":\"x\",", 1)));
    attack((4, Attack::Malformed), payload(|it| it.replacen("\"seq\":4", "\"seq\":4,\"seq\":5", 1)));
    attack((4, Attack::Malformed), payload(|it| it.replacen("\"seq\":4", "\"seq\":4.0", 1)));
    attack((4, Attack::Malformed), payload(|it| it.replacen("\"seq\":4", "\"seq\":99999999999999999999999", 1)));
    attack((4, Attack::Malformed), payload(|it| it.replacen("\"seq\":4", "\"seq\":4,\"more\":1e999", 1)));
    attack((4, Attack::Malformed), payload(|it| it.replace(",\"", ",\r\n\"")));
    attack((4, Attack::Malformed), payload(|it| format!("\u{feff}{it}")));
    let file = |change: fn(String) -> String| {
        at_place(4, move |it: Forged| {
            let text = String::from_utf8(it.file.clone()).unwrap();
            it.with_file(change(text))
        })
    };
    attack((4, Attack::Malformed), file(|it| it.replace('\n', "\r\n")));
    attack((4, Attack::Malformed), file(|it| format!("\u{feff}{it}")));
    attack((4, Attack::Malformed), file(|it| it.replacen("{", "{\"payload\":\"\",", 1)));
    attack((4, Attack::Malformed), file(|_| "x".repeat(65 * 1024)));
    attack((4, Attack::Malformed), file(|_| String::new()));
}

#[test]
fn a_field_that_is_not_known_is_ignored() {
    let stage = Stage::new();
    stage.play(1);
    let mut chain = stage.chain();
    let last = chain.pop().unwrap();
    chain.push(last.signed_by(1, |it| it.replacen("\"pipeline\"", "\"later\":{\"a\":[1]},\"pipeline\"", 1)));
    stage.force(&chain);
    assert!(verify(&stage).ok(), "{:?}", verify(&stage).findings);
}

#[test]
fn a_newer_format_is_said_to_be_newer_and_not_built_upon() {
    let version_2 = |it: String| it.replace("release-ledger/v1", "release-ledger/v2").replace("\"seq\"", "\"number\"");
    let new_word = |it: String| it.replace("run.completed", "run.celebrated");
    for change in [version_2, new_word] {
        let stage = Stage::new();
        stage.play(1);
        let mut chain = stage.chain();
        let last = chain.pop().unwrap();
        chain.push(last.signed_by(1, change));
        stage.force(&chain);
        assert_eq!(verify(&stage).findings[0].kind, Attack::NewerFormat);
        let error = stage.ledger("a").tip().unwrap_err();
        assert_eq!(error.kind(), Kind::Refused, "{error}");
        assert!(error.hint_text().unwrap().contains("newer tomoda-release"));
    }
}

#[test]
fn a_shallow_clone_never_passes() {
    let stage = Stage::new();
    stage.play(2);
    let shallow = stage.dir.path().join("shallow.git");
    let status = std::process::Command::new("git")
        .args(["clone", "-q", "--bare", "--depth", "2", "--branch", BRANCH, &stage.url()])
        .arg(&shallow)
        .status()
        .unwrap();
    assert!(status.success());
    let remote = Remote { url: RepoUrl::parse(&format!("file://{}", shallow.display())).unwrap(), token: None };
    let store = Store::open(remote, &stage.dir.path().join("cache")).unwrap();
    let ledger = Ledger::of_stranger(store.into(), BranchName::parse(BRANCH).unwrap(), &settings(&[1]).trusted).unwrap();
    let report = ledger.verify(None).unwrap();
    assert_eq!(report.findings[0].kind, Attack::Incomplete, "{:?}", report.findings);
}

#[test]
fn nothing_to_verify_never_passes() {
    let stage = Stage::new();
    let report = verify(&stage);
    assert_eq!((report.ok(), report.records, report.findings[0].kind), (false, 0, Attack::Missing));
    assert_eq!(stage.ledger("a").tip().unwrap(), None, "but a ledger may begin here");
}

#[test]
fn a_branch_that_is_no_ledger_never_passes() {
    let stage = Stage::new();
    let repository = git2::Repository::open_bare(stage.origin()).unwrap();
    let tree = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
    let person = git2::Signature::now("a", "a@x").unwrap();
    repository.commit(Some(&format!("refs/heads/{BRANCH}")), &person, &person, "hello", &tree, &[]).unwrap();
    assert_eq!(verify(&stage).findings[0].kind, Attack::Malformed);
    assert_eq!(stage.ledger("a").tip().unwrap_err().kind(), Kind::Ledger);
}

/// Keys are replaced by number: an old key vouches for the records of its time and for no others, whatever time a record claims.
#[test]
fn a_key_beyond_its_records() {
    let stage = Stage::new();
    stage.play(2);
    let ledger = |ranges: [&str; 2], sign: u8| {
        let mut settings = settings(&[1, 2]);
        for (trusted, range) in settings.trusted.iter_mut().zip(ranges) {
            trusted.0.push_str(range);
        }
        let name = tomoda_release::model::PipelineName::parse("shop").unwrap();
        Ledger::new(stage.store("v"), &settings, Some(private(sign)), &name)
    };
    assert!(ledger(["[-6]", "[7-]"], 2).unwrap().verify(None).unwrap().ok());
    let report = ledger(["[0-4]", "[5-]"], 2).unwrap().verify(None).unwrap();
    assert_eq!(found(&report), [(Some(5), Attack::KeyOutOfRange), (Some(6), Attack::KeyOutOfRange)]);
    assert_eq!(ledger(["[0-4]", "[5-]"], 2).unwrap().tip().unwrap_err().kind(), Kind::Ledger);

    let retired = ledger(["[0-6]", "[7-]"], 1).unwrap();
    let tip = retired.tip().unwrap().unwrap();
    assert_eq!(retired.append(Some(&tip), &story("dev", 9)[0], at(900), &actor()).unwrap_err().kind(), Kind::Config);
    let successor = ledger(["[0-6]", "[7-]"], 2).unwrap();
    recorded(successor.append(Some(&tip), &story("dev", 9)[0], at(900), &actor()).unwrap());
    assert!(successor.verify(None).unwrap().ok());
    for bad in ["[5-2]", "[x-]", "[5", "[5]"] {
        assert_eq!(ledger([bad, ""], 2).err().unwrap().kind(), Kind::Config, "{bad}");
    }
}
