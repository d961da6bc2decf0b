//! DSSE: the envelope a payload is signed in. Stored byte for byte; what was signed is what is parsed.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use crate::model::hex;

/// The payload type of in-toto statements.
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A DSSE envelope.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope {
    pub(super) payload: String,
    pub(super) payload_type: String,
    pub(super) signatures: Vec<Signature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Signature {
    /// Which key, as the writer says. A hint that nobody signed: it decides nothing.
    #[serde(default)]
    pub(super) keyid: String,
    pub(super) sig: String,
}

impl Envelope {
    /// The file that holds this envelope: one line, one way to write it.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("an envelope is text only");
        bytes.push(b'\n');
        bytes
    }

    /// Reads an envelope; what it is ambiguous about is refused, what it has besides is ignored.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        super::strict::check(bytes)?;
        serde_json::from_slice(bytes).map_err(|why| why.to_string())
    }

    /// The payload's bytes.
    pub(super) fn payload(&self) -> Result<Vec<u8>, String> {
        base64(&self.payload).ok_or_else(|| "its payload is not base64".to_owned())
    }

    /// An envelope without signatures yet.
    pub(super) fn around(payload: &[u8]) -> Self {
        Self { payload: STANDARD.encode(payload), payload_type: PAYLOAD_TYPE.to_owned(), signatures: Vec::new() }
    }
}

/// Base64 of either alphabet, as DSSE asks of readers.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

/// What is signed: DSSE's pre-authentication encoding. Lengths count bytes.
pub(super) fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// The hash that chains records: of the payload, so that another signature beside ours changes nothing.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A hash from hex.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |it: u8| char::from(it).to_digit(16).filter(|_| !it.is_ascii_uppercase());
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_the_specifications() {
        let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
        assert_eq!(pae("http://example.com/HelloWorld", b"hello world"), expected);
        assert_eq!(pae("é", "é".as_bytes()), "DSSEv1 2 é 2 é".as_bytes(), "lengths count bytes");
    }

    #[test]
    fn hex_goes_both_ways_and_knows_one_spelling() {
        let hash = sha256(b"x");
        assert_eq!(unhex(&hex(&hash)), Some(hash));
        assert_eq!(unhex(&hex(&hash).to_uppercase()), None);
        assert_eq!(unhex("é".repeat(32).as_str()), None);
    }

    #[test]
    fn either_base64_alphabet_is_read() {
        assert_eq!(base64("+/8="), base64("-_8="));
        assert_eq!(base64("+/8"), None);
    }
}
