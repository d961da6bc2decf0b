//! What the ledger costs: an append at record 10 and at record 100,000, and the verification of 100,000 records.
//!
//! `cargo bench --bench ledger [RECORDS]`. The long ledger is written by `git fast-import`, record by record a valid chain.
#![allow(clippy::disallowed_methods, clippy::print_stdout, missing_docs, reason = "benchmarks live outside the edge rule")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use git2::{ObjectType, Oid};
use sha2::{Digest as _, Sha256};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use tomoda_release::io::git::{Remote, Store};
use tomoda_release::model::*;
use tomoda_release::record::{AppendOutcome, Ledger};

const REF: &str = "refs/heads/release-ledger";
const BEGIN: i64 = 1_790_000_000;

fn main() {
    let length = std::env::args().skip(1).find_map(|it| it.parse().ok()).unwrap_or(100_000);
    // Whole runs only: the next one has to be able to open.
    let length = length / 3 * 3 + 1;
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin.git");
    git2::Repository::init_bare(&origin).unwrap();
    let ledger = |cache: &str| open(&origin, &dir.path().join(cache));

    let writer = ledger("writer");
    for _ in 0..3 {
        for events in run() {
            append(&writer, &events, 0);
        }
    }
    let short = median(|| append(&writer, &run_events(), 0));
    println!("append at record 10:       {short:>10.1?}  (fetch the tip, verify it, sign, push over file://)");

    let begun = Instant::now();
    lengthen(&origin, length);
    println!("  ({length} records made in {:.1?})", begun.elapsed());
    let writer = ledger("fresh");
    let long = median(|| append(&writer, &run_events(), 2 * length as i64));
    println!("append at record {length}:  {long:>10.1?}  = {:.2} times", long.as_secs_f64() / short.as_secs_f64());

    let reader = ledger("reader");
    let begun = Instant::now();
    assert!(reader.verify(None).unwrap().ok());
    println!("first fetch and verify:    {:>10.1?}", begun.elapsed());
    let begun = Instant::now();
    let report = reader.verify(None).unwrap();
    let took = begun.elapsed();
    assert!(report.ok());
    println!("verify {} records:     {took:>10.1?}  = {:.1?} a record", report.records, took / u32::try_from(report.records).unwrap());
}

fn key() -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[1; 32])), "bench").unwrap()
}

fn open(origin: &Path, cache: &Path) -> Ledger {
    let remote = Remote { url: RepoUrl::parse(&format!("file://{}", origin.display())).unwrap(), token: None };
    let settings = LedgerSettings {
        branch: BranchName::parse("release-ledger").unwrap(),
        sign: None,
        trusted: vec![("bot".into(), key().public_key().to_openssh().unwrap())],
        lease: Duration::from_secs(600),
    };
    let secret = Secret::new(key().to_openssh(LineEnding::LF).unwrap().as_str());
    let store = Arc::new(Store::open(remote, cache).unwrap());
    Ledger::new(store, &settings, Some(secret), &PipelineName::parse("shop").unwrap()).unwrap()
}

fn append(ledger: &Ledger, events: &[Event], after: i64) {
    let actor = Actor { initiator: "github:alice".into(), executor: "bench".into() };
    let at = jiff::Timestamp::from_second(BEGIN + after).unwrap();
    let tip = ledger.tip().unwrap();
    assert!(matches!(ledger.append(tip.as_ref(), events, at, &actor).unwrap(), AppendOutcome::Recorded(_)));
}

/// A run in one record, so that every append is the same.
fn run_events() -> Vec<Event> {
    run().concat()
}

/// A run of two components and two gates, as three records.
fn run() -> [Vec<Event>; 3] {
    let id = RunId::parse("dev.bench").unwrap();
    let environment = EnvName::parse("dev").unwrap();
    let commit = CommitId::parse(&"a".repeat(40)).unwrap();
    let digest = Digest::parse(&format!("sha256:{}", "b".repeat(64))).unwrap();
    let tag = Tag::parse("dev-aaaaaaa").unwrap();
    let names = ["backend", "frontend"]
        .map(|it| (ComponentName::parse(it).unwrap(), Repository::parse(&format!("registry.example/shop/{it}")).unwrap()));
    let moves: Vec<_> = names
        .iter()
        .map(|(component, repository)| ImageMove {
            component: component.clone(),
            repository: repository.clone(),
            from: Pin::exact(&tag, &digest),
            tag: tag.clone(),
            digest: Some(digest.clone()),
            commit: Some(commit.clone()),
        })
        .collect();
    let images = names.iter().map(|(component, repository)| ProvedImage {
        component: component.clone(),
        repository: repository.clone(),
        tag: tag.clone(),
        digest: digest.clone(),
        commit: Some(commit.clone()),
    });
    let proved = Proved {
        run: id.clone(),
        at: jiff::Timestamp::from_second(1_790_000_000).unwrap(),
        commit: commit.clone(),
        version: None,
        images: images.collect(),
    };
    let overlay = RepoPath::parse("overlays/dev").unwrap();
    let write = OverlayWrite { run: id.clone(), environment: environment.clone(), overlay, moves: moves.clone(), version: None };
    let gates = vec!["rollout".to_owned(), "soak 600s".to_owned()];
    let plan = Plan { kind: RunKind::Bump, environment, moves, tag: None, gates: gates.clone(), warnings: vec![] };
    let passed = |position: usize| Event::Passed {
        run: id.clone(),
        position,
        gate: gates[position].clone(),
        evidence: Evidence::default().fact("ready", "3 of 3"),
    };
    let outcome = Outcome::Landed { object: Some(commit.object().clone()), reference: "main".into(), adopted: false };
    [
        vec![Event::Opened { run: id.clone(), plan, first: Some(Step::WriteOverlay(write)) }],
        vec![Event::Did { run: id.clone(), outcome }, passed(0)],
        vec![passed(1), Event::Completed { run: id.clone(), proved }],
    ]
}

fn median(mut what: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let begun = Instant::now();
            what();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[4]
}

/// Repeats the last three records of the first nine until the ledger has this many.
fn lengthen(origin: &Path, length: usize) {
    let repository = git2::Repository::open_bare(origin).unwrap();
    let mut walk = repository.revwalk().unwrap();
    walk.push_ref(REF).unwrap();
    let mut ids: Vec<Oid> = walk.map(Result::unwrap).collect();
    ids.reverse();
    let payload = |id: Oid| {
        let tree = repository.find_commit(id).unwrap().tree().unwrap();
        let file = repository.find_blob(tree.get_name("record.json").unwrap().id()).unwrap().content().to_vec();
        let envelope: serde_json::Value = serde_json::from_slice(&file).unwrap();
        String::from_utf8(STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap()).unwrap()
    };
    let templates: Vec<String> = (7..10).map(|place| payload(ids[place])).collect();
    let mut import =
        Command::new("git").args(["fast-import", "--quiet", "--force"]).env("GIT_DIR", origin).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = std::io::BufWriter::new(import.stdin.take().unwrap());
    let (mut parent, mut hash) = (ids[9], sha256(payload(ids[9]).as_bytes()));
    let signer = key();
    for seq in 10..length {
        // A second apart, as in life: where all dates are equal, git's own connectivity check walks the whole history.
        let person = person(seq);
        let text = again(&templates[(seq - 10) % 3], seq, &hash, parent);
        let previous = std::mem::replace(&mut hash, sha256(text.as_bytes()));
        let message = format!("ledger: {seq}\n\nLedger-Seq: {seq}\nLedger-Payload: sha256:{hash}\nLedger-Prev: sha256:{previous}\n");
        let file = seal(&signer, text.as_bytes());
        let from = parent;
        parent = commit_id(&file, &message, parent, &person);
        write!(input, "commit {REF}\nauthor {person}\ncommitter {person}\ndata {}\n{message}\n", message.len()).unwrap();
        // The branch goes on by itself; only where it leaves the old one has to be said.
        if seq == 10 {
            writeln!(input, "from {from}").unwrap();
        }
        write!(input, "deleteall\nM 100644 inline record.json\ndata {}\n", file.len()).unwrap();
        input.write_all(&file).unwrap();
        input.write_all(b"\n").unwrap();
    }
    drop(input);
    assert!(import.wait().unwrap().success());
    assert_eq!(git2::Repository::open_bare(origin).unwrap().refname_to_id(REF).unwrap(), parent, "git made the commits we hashed");
}

/// A record like this one at another place of the chain.
fn again(template: &str, seq: usize, hash: &str, parent: Oid) -> String {
    let between = |text: &str, start: &str| {
        let from = text.find(start).unwrap() + start.len();
        (from, from + text[from..].find(['"', ',']).unwrap())
    };
    let mut text = template.to_owned();
    let nonce = format!("{seq:032x}");
    for (field, value) in [
        ("\"seq\":", seq.to_string()),
        ("\"payloadSha256\":\"", hash.to_owned()),
        ("\"commit\":\"", parent.to_string()),
        ("\"nonce\":\"", nonce),
    ] {
        let ledger = text.find("\"ledger\":").unwrap();
        let (from, to) = between(&text[ledger..], field);
        text.replace_range(ledger + from..ledger + to, &value);
    }
    text
}

fn seal(signer: &PrivateKey, payload: &[u8]) -> Vec<u8> {
    let mut signed = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).into_bytes();
    signed.extend_from_slice(payload);
    let sig = signer.sign("tomoda-ledger", HashAlg::Sha512, &signed).unwrap().to_pem(LineEnding::LF).unwrap();
    let sig: String = sig.lines().filter(|it| !it.starts_with('-')).collect();
    let keyid = signer.fingerprint(HashAlg::Sha256);
    let payload = STANDARD.encode(payload);
    format!("{{\"payload\":\"{payload}\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[{{\"keyid\":\"{keyid}\",\"sig\":\"{sig}\"}}]}}\n")
        .into_bytes()
}

fn person(seq: usize) -> String {
    format!("tomoda-release <ledger@tomoda-release.invalid> {} +0000", BEGIN + seq as i64)
}

fn commit_id(file: &[u8], message: &str, parent: Oid, person: &str) -> Oid {
    let blob = Oid::hash_object(ObjectType::Blob, file).unwrap();
    let mut tree = b"100644 record.json\0".to_vec();
    tree.extend_from_slice(blob.as_bytes());
    let tree = Oid::hash_object(ObjectType::Tree, &tree).unwrap();
    let text = format!("tree {tree}\nparent {parent}\nauthor {person}\ncommitter {person}\n\n{message}");
    Oid::hash_object(ObjectType::Commit, text.as_bytes()).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|it| format!("{it:02x}")).collect()
}
