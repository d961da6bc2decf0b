//! Secrets: from references to values.

use crate::error::{Error, Result};
use crate::model::{Secret, SecretRef};

/// Fetches a secret. Its value never appears in an error.
pub fn resolve(reference: &SecretRef) -> Result<Secret> {
    let value = match reference {
        SecretRef::Env(name) => std::env::var(name).map_err(|_| {
            Error::config(format!("The environment variable {name} is not set."))
                .hint(format!("The pipeline names it as {reference}; export it before running this command."))
        })?,
        SecretRef::File(path) => {
            std::fs::read_to_string(path).map_err(|why| Error::config(format!("The secret file {path} cannot be read.")).because(why))?
        }
    };
    match value.trim_end_matches(['\r', '\n']) {
        "" => Err(Error::config(format!("The secret {reference} is empty."))),
        value => Ok(Secret::new(value)),
    }
}

/// An environment variable, when set and not empty.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|it| !it.is_empty())
}
