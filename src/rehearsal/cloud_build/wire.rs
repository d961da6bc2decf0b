//! How an answer is encoded: Google's clients ask for enums by name or by number.

use serde_json::{Value, json};

use super::problem::Problem;
use crate::rehearsal::stage::Query;

/// The values of an enum: name and number.
pub(super) type EnumNames = &'static [(&'static str, i32)];

/// Query keys that every method takes.
const EVERYWHERE: &[&str] = &["alt", "$alt", "fields", "prettyPrint", "key", "quotaUser", "$.xgafv", "projectId"];

/// How enums are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Names,
    Numbers,
}

impl Encoding {
    /// Writes an enum value. A name the enum does not have is its unknown value.
    pub(super) fn write(self, names: EnumNames, name: &str) -> Value {
        match self {
            Self::Names => json!(name),
            Self::Numbers => json!(names.iter().find(|(it, _)| *it == name).map_or(0, |(_, number)| *number)),
        }
    }
}

/// The query of a method, with the encoding it asks for.
pub(super) fn query(uri: &axum::http::Uri, own: &[&str]) -> Result<(Query, Encoding), Problem> {
    let query = Query::of(uri, &[EVERYWHERE, own].concat())?;
    let encoding = match query.get("$alt").or_else(|| query.get("alt")) {
        None | Some("json" | "json;enum-encoding=name") => Encoding::Names,
        Some("json;enum-encoding=int") => Encoding::Numbers,
        Some(other) => return Err(Problem::invalid(format!("Invalid value for parameter alt: {other}"))),
    };
    Ok((query, encoding))
}
