//! JSON as the ledger accepts it: one meaning only.
//!
//! Two readers of one signed text must never see two things. So a key stands once in an object, a number is a whole one
//! that every program holds exactly, and the bytes have no byte order mark and no carriage return.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Says what is ambiguous about a JSON text, if anything is.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Err("it begins with a byte order mark, which an editor has added".to_owned());
    }
    if bytes.contains(&b'\r') {
        return Err("it holds carriage returns (CRLF), which an editor or a checkout has added".to_owned());
    }
    serde_json::from_slice::<Unambiguous>(bytes).map(|_| ()).map_err(|why| why.to_string())
}

/// A value of which nothing is kept.
struct Unambiguous;

#[derive(serde::Deserialize, PartialEq)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = Unambiguous;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unambiguous, A::Error> {
        let mut seen: Vec<Key<'de>> = Vec::new();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format!("the key “{}” stands twice in one object", key.0)));
            }
            seen.push(key);
            if seen.len() > 1000 {
                return Err(A::Error::custom("an object has more than 1000 keys"));
            }
            map.next_value::<Unambiguous>()?;
        }
        Ok(Unambiguous)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unambiguous, A::Error> {
        while items.next_element::<Unambiguous>()?.is_some() {}
        Ok(Unambiguous)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Unambiguous, E> {
        Err(E::custom(format!("the number {value} is not a whole number that every reader holds exactly")))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_unit<E: Error>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for (bad, why) in [
            (r#"{"a":1,"a":1}"#, "stands twice"),
            (r#"{"x":[{"a":1,"\u0061":2}]}"#, "stands twice"),
            ("\u{feff}{}", "byte order mark"),
            ("{}\r\n", "carriage return"),
            ("1.5", "whole number"),
            ("1e2", "whole number"),
            ("99999999999999999999", "whole number"),
            ("1e999", "out of range"),
            ("{} {}", "trailing"),
            ("", "EOF"),
            (&"[".repeat(100_000), "recursion"),
        ] {
            let said = check(bad.as_bytes()).expect_err(&bad[..bad.len().min(40)]);
            assert!(said.contains(why), "{said}");
        }
        check(br#"{"a":{"b":[1,-2,null,true,"\r"]},"c":{"b":0}}"#).unwrap();
    }
}
