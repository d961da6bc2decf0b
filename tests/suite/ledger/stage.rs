//! A bare repository with a ledger on it, the keys, a story to record, and the means to forge.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use tempfile::TempDir;
use tomoda_release::io::git::{Remote, Store};
use tomoda_release::model::*;
use tomoda_release::record::{AppendOutcome, Ledger, Tip};

pub(super) const BRANCH: &str = "release-ledger";

/// A key from a number: the same in every run.
pub(super) fn key(number: u8) -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[number; 32])), "test").unwrap()
}

pub(super) fn private(number: u8) -> Secret {
    Secret::new(key(number).to_openssh(LineEnding::LF).unwrap().as_str())
}

pub(super) fn public(number: u8) -> String {
    key(number).public_key().to_openssh().unwrap()
}

pub(super) fn settings(trusted: &[u8]) -> LedgerSettings {
    LedgerSettings {
        branch: BranchName::parse(BRANCH).unwrap(),
        sign: None,
        trusted: trusted.iter().map(|it| (format!("bot-{it}"), public(*it))).collect(),
        lease: Duration::from_secs(600),
    }
}

pub(super) struct Stage {
    pub(super) dir: TempDir,
}

impl Stage {
    pub(super) fn new() -> Self {
        let stage = Self { dir: tempfile::tempdir().unwrap() };
        git2::Repository::init_bare(stage.origin()).unwrap();
        stage
    }

    pub(super) fn origin(&self) -> PathBuf {
        self.dir.path().join("origin.git")
    }

    pub(super) fn url(&self) -> String {
        format!("file://{}", self.origin().display())
    }

    pub(super) fn remote(&self) -> Remote {
        Remote { url: RepoUrl::parse(&self.url()).unwrap(), token: None }
    }

    pub(super) fn store(&self, cache: &str) -> Arc<Store> {
        Arc::new(Store::open(self.remote(), &self.dir.path().join(cache)).unwrap())
    }

    /// A driver's ledger with a cache of its own.
    pub(super) fn ledger(&self, cache: &str) -> Ledger {
        let name = PipelineName::parse("shop").unwrap();
        Ledger::new(self.store(cache), &settings(&[1]), Some(private(1)), &name).unwrap()
    }

    /// The same, with a memory.
    pub(super) fn remembering(&self, cache: &str) -> Ledger {
        self.ledger(cache).remembering(&self.dir.path().join(cache), &self.remote())
    }

    /// Records `runs` runs of dev, three records each, after the genesis.
    pub(super) fn play(&self, runs: u32) -> Tip {
        let ledger = self.ledger("writer");
        let mut tip = ledger.tip().unwrap();
        for run in 0..runs {
            for events in story("dev", run) {
                tip = Some(recorded(ledger.append(tip.as_ref(), &events, at(i64::from(run) * 100), &actor()).unwrap()));
            }
        }
        tip.unwrap()
    }

    /// The chain as it stands, oldest first.
    pub(super) fn chain(&self) -> Vec<Forged> {
        let repository = git2::Repository::open_bare(self.origin()).unwrap();
        let mut next = Some(repository.find_reference(&format!("refs/heads/{BRANCH}")).unwrap().peel_to_commit().unwrap());
        let mut chain = Vec::new();
        while let Some(commit) = next {
            let entry = commit.tree().unwrap().get_name("record.json").unwrap().id();
            let file = repository.find_blob(entry).unwrap().content().to_vec();
            chain.push(Forged {
                file,
                message: commit.message().unwrap().to_owned(),
                extra: vec![],
                keep: Some(commit.id()),
                merge: false,
            });
            next = commit.parents().next();
        }
        chain.reverse();
        chain
    }

    /// Puts a chain on the branch as the program itself would have: the same author and times, so the same ids.
    pub(super) fn force_as_written(&self, chain: &[Forged]) {
        let repository = git2::Repository::open_bare(self.origin()).unwrap();
        let mut parents = Vec::new();
        for it in chain {
            let payload: serde_json::Value = serde_json::from_slice(&it.payload()).unwrap();
            let time: Timestamp = payload["predicate"]["time"]["recorded"].as_str().unwrap().parse().unwrap();
            let time = git2::Time::new(time.as_second(), 0);
            let person = git2::Signature::new("tomoda-release", "ledger@tomoda-release.invalid", &time).unwrap();
            let mut tree = repository.treebuilder(None).unwrap();
            tree.insert("record.json", repository.blob(&it.file).unwrap(), 0o100_644).unwrap();
            let tree = repository.find_tree(tree.write().unwrap()).unwrap();
            let id = repository.commit(None, &person, &person, &it.message, &tree, &parents.iter().collect::<Vec<_>>()).unwrap();
            parents = vec![repository.find_commit(id).unwrap()];
        }
        repository.reference(&format!("refs/heads/{BRANCH}"), parents[0].id(), true, "written").unwrap();
    }

    /// Puts a chain on the branch by force. Commits that are as they were keep their ids as long as their parents do.
    pub(super) fn force(&self, chain: &[Forged]) {
        let repository = git2::Repository::open_bare(self.origin()).unwrap();
        let person = git2::Signature::new("forger", "f@x", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let mut parent: Option<git2::Oid> = None;
        for it in chain {
            let same_parent = |id: git2::Oid| repository.find_commit(id).unwrap().parent_ids().next() == parent;
            parent = Some(match it.keep.filter(|id| same_parent(*id)) {
                Some(id) => id,
                None => {
                    let mut tree = repository.treebuilder(None).unwrap();
                    tree.insert("record.json", repository.blob(&it.file).unwrap(), 0o100_644).unwrap();
                    for (name, content) in &it.extra {
                        tree.insert(name, repository.blob(content.as_bytes()).unwrap(), 0o100_644).unwrap();
                    }
                    let tree = repository.find_tree(tree.write().unwrap()).unwrap();
                    let mut parents: Vec<_> = parent.iter().map(|id| repository.find_commit(*id).unwrap()).collect();
                    if it.merge {
                        let other = repository.commit(None, &person, &person, "other", &tree, &[]).unwrap();
                        parents.push(repository.find_commit(other).unwrap());
                    }
                    let parents: Vec<_> = parents.iter().collect();
                    repository.commit(None, &person, &person, &it.message, &tree, &parents).unwrap()
                }
            });
        }
        repository.reference(&format!("refs/heads/{BRANCH}"), parent.unwrap(), true, "forged").unwrap();
    }
}

/// One commit of a chain, to be changed at will.
#[derive(Clone)]
pub(super) struct Forged {
    pub(super) file: Vec<u8>,
    pub(super) message: String,
    pub(super) extra: Vec<(String, String)>,
    pub(super) keep: Option<git2::Oid>,
    pub(super) merge: bool,
}

impl Forged {
    pub(super) fn envelope(&self) -> serde_json::Value {
        serde_json::from_slice(&self.file).unwrap()
    }

    pub(super) fn payload(&self) -> Vec<u8> {
        STANDARD.decode(self.envelope()["payload"].as_str().unwrap()).unwrap()
    }

    /// Changes the file.
    pub(super) fn with_file(mut self, file: impl Into<Vec<u8>>) -> Self {
        self.file = file.into();
        self.keep = None;
        self
    }

    /// Changes the envelope around the same payload.
    pub(super) fn with_envelope(self, change: impl FnOnce(&mut serde_json::Value)) -> Self {
        let mut envelope = self.envelope();
        change(&mut envelope);
        self.with_file(format!("{envelope}\n"))
    }

    /// Changes the payload's text, and leaves the signature as it was.
    pub(super) fn with_payload(self, change: impl FnOnce(String) -> String) -> Self {
        let payload = change(String::from_utf8(self.payload()).unwrap());
        self.with_envelope(|it| it["payload"] = STANDARD.encode(payload).into())
    }

    /// Changes the payload and signs it anew, with a message that fits: what only a holder of the key can do.
    pub(super) fn signed_by(self, number: u8, change: impl FnOnce(String) -> String) -> Self {
        let payload = change(String::from_utf8(self.payload()).unwrap());
        let mut it = self.with_file(sealed(number, payload.as_bytes()));
        it.message = message_for(payload.as_bytes());
        it
    }
}

/// An envelope made without the program's own code.
pub(super) fn sealed(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut signed = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).into_bytes();
    signed.extend_from_slice(payload);
    let signature = key(number).sign("tomoda-ledger", HashAlg::Sha512, &signed).unwrap().to_pem(LineEnding::LF).unwrap();
    let sig: String = signature.lines().filter(|it| !it.starts_with('-')).collect();
    let keyid = key(number).fingerprint(HashAlg::Sha256).to_string();
    let envelope = serde_json::json!({
        "payload": STANDARD.encode(payload),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{ "keyid": keyid, "sig": sig }],
    });
    format!("{envelope}\n").into_bytes()
}

pub(super) fn message_for(payload: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(payload) else { return "x".to_owned() };
    let ledger = &value["predicate"]["ledger"];
    let mut text = format!("ledger\n\nLedger-Seq: {}\nLedger-Payload: sha256:{}\n", ledger["seq"], sha256(payload));
    if let Some(prev) = ledger["prev"]["payloadSha256"].as_str() {
        text.push_str(&format!("Ledger-Prev: sha256:{prev}\n"));
    }
    text
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|it| format!("{it:02x}")).collect()
}

pub(super) fn recorded(outcome: AppendOutcome) -> Tip {
    match outcome {
        AppendOutcome::Recorded(tip) => *tip,
        AppendOutcome::Lost => panic!("nobody else writes here"),
    }
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

pub(super) fn actor() -> Actor {
    Actor { initiator: "github:alice".into(), executor: "host-1/42".into() }
}

pub(super) fn commit_id(number: u32) -> CommitId {
    CommitId::parse(&format!("{number:040x}")).unwrap()
}

pub(super) fn digest(number: u32) -> Digest {
    Digest::parse(&format!("sha256:{number:064x}")).unwrap()
}

pub(super) fn image_move(number: u32) -> ImageMove {
    ImageMove {
        component: ComponentName::parse("backend").unwrap(),
        repository: Repository::parse("registry.example/shop/backend").unwrap(),
        from: Pin { tag: Some("dev-0".into()), digest: None },
        tag: Tag::parse(&format!("dev-{number:07x}")).unwrap(),
        digest: Some(digest(number)),
        commit: Some(commit_id(number)),
    }
}

pub(super) fn plan(environment: &str, number: u32) -> Plan {
    Plan {
        kind: RunKind::Bump,
        environment: EnvName::parse(environment).unwrap(),
        moves: vec![image_move(number)],
        tag: None,
        gates: vec!["rollout".into(), "soak 60s".into()],
        warnings: vec![],
    }
}

pub(super) fn overlay_write(environment: &str, number: u32) -> Step {
    Step::WriteOverlay(OverlayWrite {
        run: run_id(environment, number),
        environment: EnvName::parse(environment).unwrap(),
        overlay: RepoPath::parse(&format!("overlays/{environment}")).unwrap(),
        moves: vec![image_move(number)],
        version: None,
    })
}

pub(super) fn run_id(environment: &str, number: u32) -> RunId {
    RunId::parse(&format!("{environment}.{number}")).unwrap()
}

pub(super) fn landed(number: u32) -> Outcome {
    Outcome::Landed { object: Some(commit_id(number).object().clone()), reference: "main".into(), adopted: false }
}

pub(super) fn proved(environment: &str, number: u32) -> Proved {
    Proved {
        run: run_id(environment, number),
        at: at(i64::from(number)),
        commit: commit_id(number),
        version: None,
        images: vec![ProvedImage {
            component: ComponentName::parse("backend").unwrap(),
            repository: Repository::parse("registry.example/shop/backend").unwrap(),
            tag: Tag::parse(&format!("dev-{number:07x}")).unwrap(),
            digest: digest(number),
            commit: Some(commit_id(number)),
        }],
    }
}

/// A run that goes well, as three records.
pub(super) fn story(environment: &str, number: u32) -> [Vec<Event>; 3] {
    let run = run_id(environment, number);
    let passed = |position: usize, gate: &str| Event::Passed {
        run: run.clone(),
        position,
        gate: gate.to_owned(),
        evidence: Evidence::default().fact("ready", "3 of 3"),
    };
    [
        vec![Event::Opened { run: run.clone(), plan: plan(environment, number), first: Some(overlay_write(environment, number)) }],
        vec![Event::Did { run: run.clone(), outcome: landed(number) }, passed(0, "rollout")],
        vec![passed(1, "soak 60s"), Event::Completed { run: run.clone(), proved: proved(environment, number) }],
    ]
}
