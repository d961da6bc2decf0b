//! Keys: the one that signs, and those that are trusted.
//!
//! A signature is an SSHSIG (`ssh-keygen -Y sign`) by an ed25519 key, in a namespace of its own, so that no signature made
//! for another purpose can be passed off as a record's. Which key signed is decided by which trusted key verifies.

use std::ops::RangeInclusive;

use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use super::envelope::{self, Envelope, Signature, pae};
use crate::error::{Error, Result};
use crate::model::Secret;

/// What an SSHSIG of the ledger is for.
pub const NAMESPACE: &str = "tomoda-ledger";

const ARMOUR: (&str, &str) = ("-----BEGIN SSH SIGNATURE-----\n", "-----END SSH SIGNATURE-----\n");

/// The key that signs records.
pub(super) struct Signer(PrivateKey);

impl Signer {
    /// Reads an OpenSSH private key. No error ever quotes it.
    pub(super) fn read(secret: &Secret) -> Result<Self> {
        let text = secret.expose().trim();
        let hint = "Make one with: ssh-keygen -t ed25519 -N '' -f release-ledger-key";
        let bad = |why: &str| Error::config(format!("The ledger's signing key cannot be used: {why}.")).hint(hint);
        if text.starts_with("ssh-") {
            return Err(bad("this is a public key; the private one is needed"));
        }
        if text.starts_with("-----BEGIN") && !text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----") {
            return Err(bad("it is in another format than OpenSSH's own"));
        }
        let key = PrivateKey::from_openssh(format!("{text}\n")).map_err(|_| bad("it is not an OpenSSH private key"))?;
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(bad(&format!("it is of the type {}, and only ssh-ed25519 is used", key.algorithm())));
        }
        if key.is_encrypted() {
            return Err(bad("it is protected by a passphrase, which nobody can type here"));
        }
        Ok(Self(key))
    }

    /// The key's fingerprint, as `ssh-keygen -l` prints it.
    pub(super) fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The public half, as a trusted list writes it.
    pub(super) fn public(&self) -> &PublicKey {
        self.0.public_key()
    }

    /// A payload in its envelope, signed.
    pub(super) fn sign(&self, payload: &[u8]) -> Result<Envelope> {
        let failed = |_| Error::bug("The ledger's signing key was read but does not sign.");
        let mut envelope = Envelope::around(payload);
        let signature = self.0.sign(NAMESPACE, HashAlg::Sha512, &pae(envelope::PAYLOAD_TYPE, payload)).map_err(failed)?;
        let armoured = signature.to_pem(LineEnding::LF).map_err(failed)?;
        let sig = armoured.lines().filter(|it| !it.starts_with("-----")).collect();
        envelope.signatures.push(Signature { keyid: self.fingerprint(), sig });
        Ok(envelope)
    }
}

/// A key whose records are believed.
#[derive(Clone, Debug)]
struct TrustedKey {
    principal: String,
    key: PublicKey,
    fingerprint: String,
    /// The numbers of the records it may sign. Numbers, not times: whoever holds a key writes the times.
    records: RangeInclusive<u64>,
}

/// Whose records are believed.
#[derive(Clone, Debug)]
pub(super) struct Trusted(Vec<TrustedKey>);

impl Trusted {
    /// Reads `(principal, OpenSSH public key)` pairs; all that is wrong with them is said at once.
    pub(super) fn read(pairs: &[(String, String)]) -> Result<Self> {
        let (mut keys, mut problems) = (Vec::new(), Vec::new());
        for (principal, text) in pairs {
            let Some((principal, records)) = split_range(principal) else {
                problems.push(format!("“{principal}” does not name records as in “bot[0-412]” or “bot[413-]”"));
                continue;
            };
            match PublicKey::from_openssh(text) {
                Ok(key) if key.algorithm() == Algorithm::Ed25519 => {
                    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
                    keys.push(TrustedKey { principal: principal.to_owned(), key, fingerprint, records });
                }
                Ok(key) => {
                    problems.push(format!("the key of “{principal}” is of the type {}, and only ssh-ed25519 is used", key.algorithm()))
                }
                Err(_) => problems.push(format!("the key of “{principal}” is not an OpenSSH public key")),
            }
        }
        if pairs.is_empty() {
            problems.push("there are none, so no record could be believed".to_owned());
        }
        let hint = "Write each as a line of an allowed-signers file: a name, then “ssh-ed25519 AAAA…”.";
        match problems.is_empty() {
            true => Ok(Self(keys)),
            false => Err(Error::config(format!("The ledger's trusted keys cannot be used: {}.", problems.join("; "))).hint(hint)),
        }
    }

    /// Whether records signed by this key are believed.
    pub(super) fn includes(&self, key: &PublicKey) -> bool {
        self.find(key.key_data()).is_some()
    }

    /// Whether a record of this number may be signed by this key.
    pub(super) fn may_sign(&self, fingerprint: &str, seq: u64) -> bool {
        self.0.iter().any(|it| it.records.contains(&seq) && it.fingerprint == fingerprint)
    }

    fn find(&self, key: &ssh_key::public::KeyData) -> Option<&TrustedKey> {
        self.0.iter().find(|it| it.key.key_data() == key)
    }

    /// Who signed this payload.
    pub(super) fn judge(&self, signature: &Signature, payload_type: &str, payload: &[u8]) -> Signed {
        let Some(sig) = read_sshsig(&signature.sig) else { return Signed::Unreadable };
        let key = PublicKey::from(sig.public_key().clone());
        let trusted = self.find(sig.public_key());
        let fingerprint = trusted.map_or_else(|| key.fingerprint(HashAlg::Sha256).to_string(), |it| it.fingerprint.clone());
        if sig.namespace() != NAMESPACE {
            return Signed::OtherPurpose { fingerprint, namespace: sig.namespace().to_owned() };
        }
        let genuine = key.algorithm() == Algorithm::Ed25519 && key.verify(NAMESPACE, &pae(payload_type, payload), &sig).is_ok();
        match trusted {
            Some(it) if genuine => Signed::By { principal: it.principal.clone(), fingerprint },
            Some(it) => Signed::Altered { principal: it.principal.clone(), fingerprint },
            None => Signed::Untrusted { fingerprint, genuine },
        }
    }
}

/// `bot` may sign every record, `bot[0-412]` and `bot[413-]` some.
fn split_range(principal: &str) -> Option<(&str, RangeInclusive<u64>)> {
    let Some((name, rest)) = principal.split_once('[') else { return Some((principal, 0..=u64::MAX)) };
    let (from, to) = rest.strip_suffix(']')?.split_once('-')?;
    let number = |text: &str, otherwise: u64| if text.is_empty() { Some(otherwise) } else { text.parse().ok() };
    Some((name, number(from, 0)?..=number(to, u64::MAX)?)).filter(|it| !it.1.is_empty())
}

/// The verdict on one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// A trusted key signed exactly these bytes.
    By {
        /// Whose key it is, as the pipeline says.
        principal: String,
        /// Its fingerprint.
        fingerprint: String,
    },
    /// A trusted key signed something, but not these bytes.
    Altered {
        /// Whose key it is.
        principal: String,
        /// Its fingerprint.
        fingerprint: String,
    },
    /// A key that nobody trusts.
    Untrusted {
        /// Its fingerprint.
        fingerprint: String,
        /// Whether it did sign these bytes.
        genuine: bool,
    },
    /// A signature made for something else than the ledger.
    OtherPurpose {
        /// The key's fingerprint.
        fingerprint: String,
        /// What it was made for.
        namespace: String,
    },
    /// Not an SSH signature.
    Unreadable,
}

impl Signed {
    /// The key it was made with.
    pub fn fingerprint(&self) -> Option<&str> {
        match self {
            Self::By { fingerprint, .. }
            | Self::Altered { fingerprint, .. }
            | Self::Untrusted { fingerprint, .. }
            | Self::OtherPurpose { fingerprint, .. } => Some(fingerprint),
            Self::Unreadable => None,
        }
    }
}

/// An SSHSIG without its armour is base64 text: with the armour around it any SSH tool reads it.
fn read_sshsig(text: &str) -> Option<SshSig> {
    if text.len() > 4096 || !text.is_ascii() {
        return None;
    }
    let text = text.replace('-', "+").replace('_', "/");
    let mut armoured = ARMOUR.0.to_owned();
    for line in text.as_bytes().chunks(70) {
        armoured.push_str(std::str::from_utf8(line).ok()?);
        armoured.push('\n');
    }
    armoured.push_str(ARMOUR.1);
    SshSig::from_pem(armoured).ok()
}
