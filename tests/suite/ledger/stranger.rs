//! What a stranger can check without this program: `ssh-keygen` and the words in `src/record/mod.rs`.

use std::io::Write;
use std::process::{Command, Stdio};

use super::stage::*;

fn missing(tool: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).stdout(Stdio::null()).status().is_ok_and(|it| it.success());
    assert!(found || std::env::var_os("TOMODA_REAL").is_none(), "{tool} is missing");
    if !found {
        eprintln!("skipped: {tool} is missing");
    }
    !found
}

#[test]
fn ssh_keygen_verifies_a_record() {
    if missing("ssh-keygen") {
        return;
    }
    let stage = Stage::new();
    stage.play(1);
    let record = stage.chain().pop().unwrap();
    let payload = record.payload();
    let file = |name: &str| stage.dir.path().join(name);
    std::fs::write(file("signers"), format!("release-bot {}\n", public(1))).unwrap();
    let envelope = record.envelope();
    let sig = envelope["signatures"][0]["sig"].as_str().unwrap();
    std::fs::write(file("sig"), format!("-----BEGIN SSH SIGNATURE-----\n{sig}\n-----END SSH SIGNATURE-----\n")).unwrap();
    let verified = |namespace: &str, payload: &[u8]| {
        let mut child = Command::new("ssh-keygen")
            .args(["-Y", "verify", "-I", "release-bot", "-n", namespace, "-f"])
            .arg(file("signers"))
            .arg("-s")
            .arg(file("sig"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).as_bytes()).unwrap();
        input.write_all(payload).unwrap();
        drop(input);
        child.wait().unwrap().success()
    };
    assert!(verified("tomoda-ledger", &payload));
    assert!(!verified("git", &payload));
    let mut other = payload.clone();
    other[20] ^= 1;
    assert!(!verified("tomoda-ledger", &other));
}

/// A signature made by `ssh-keygen` itself is as good as ours.
#[test]
fn a_signature_of_ssh_keygen_is_accepted() {
    if missing("ssh-keygen") {
        return;
    }
    let stage = Stage::new();
    let tip = stage.play(1);
    let mut chain = stage.chain();
    let last = chain.pop().unwrap();
    let file = |name: &str| stage.dir.path().join(name);
    std::fs::write(file("key"), private(1).expose()).unwrap();
    std::fs::set_permissions(file("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let payload = last.payload();
    let mut signed = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).into_bytes();
    signed.extend(&payload);
    std::fs::write(file("message"), signed).unwrap();
    let status = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", "tomoda-ledger", "-f"])
        .arg(file("key"))
        .arg(file("message"))
        .status()
        .unwrap();
    assert!(status.success());
    let sig: String = std::fs::read_to_string(file("message.sig")).unwrap().lines().filter(|it| !it.starts_with('-')).collect();
    assert_eq!(last.envelope()["signatures"][0]["sig"], sig.as_str(), "ed25519 signatures are the same bytes whoever makes them");
    chain.push(last.with_envelope(|it| it["signatures"][0]["sig"] = sig.into()));
    stage.force(&chain);
    assert_eq!(stage.ledger("v").tip().unwrap().unwrap().payload, tip.payload);
}

/// The shell words of the format's documentation do what they say.
#[test]
fn the_documented_commands_work() {
    if missing("ssh-keygen") || missing("jq") || missing("fold") {
        return;
    }
    let stage = Stage::new();
    stage.play(1);
    let documentation = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/record/mod.rs")).unwrap();
    let script: String = documentation
        .lines()
        .skip_while(|it| !it.starts_with("//! ```sh"))
        .skip(1)
        .take_while(|it| !it.starts_with("//! ```"))
        .map(|it| format!("{}\n", it.trim_start_matches("//! ")))
        .collect();
    assert!(script.contains("ssh-keygen"));
    std::fs::write(stage.dir.path().join("allowed_signers"), format!("release-bot {}\n", public(1))).unwrap();
    let output = Command::new("sh").arg("-ec").arg(script).env("GIT_DIR", stage.origin()).current_dir(stage.dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Good \"tomoda-ledger\" signature for release-bot"));
}
