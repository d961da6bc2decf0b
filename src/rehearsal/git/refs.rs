//! The refs of a bare repository, and what moved between two looks.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};

/// Every ref with the object it points to, by name.
pub(super) type Refs = BTreeMap<String, String>;

/// One ref that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its full name.
    pub name: String,
    /// Where it was; `None` means that it is new.
    pub from: Option<String>,
    /// Where it is; `None` means that it is gone.
    pub to: Option<String>,
}

/// Reads the refs of a repository.
pub fn refs_of(dir: &Path) -> Result<BTreeMap<String, String>> {
    let read = || {
        let repository = git2::Repository::open_bare(dir)?;
        let mut refs = Refs::new();
        for reference in repository.references()? {
            let reference = reference?;
            if let (Ok(name), Some(target)) = (reference.name(), reference.target()) {
                refs.insert(name.to_owned(), target.to_string());
            }
        }
        Ok::<_, git2::Error>(refs)
    };
    read().map_err(|why| Error::bug(format!("The rehearsal cannot read the refs of {}.", dir.display())).because(why))
}

/// What moved between two looks.
pub(super) fn moved(before: &Refs, after: &Refs) -> Vec<Moved> {
    let names = before.keys().chain(after.keys().filter(|it| !before.contains_key(*it)));
    names
        .map(|name| Moved { name: name.clone(), from: before.get(name).cloned(), to: after.get(name).cloned() })
        .filter(|it| it.from != it.to)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_moved_and_nothing_else() {
        let refs = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, id)| ((*name).into(), (*id).into())).collect::<Refs>();
        let found =
            moved(&refs(&[("stays", "1"), ("goes", "1"), ("moves", "1")]), &refs(&[("stays", "1"), ("moves", "2"), ("comes", "3")]));
        let shown: Vec<_> = found.iter().map(|it| (it.name.as_str(), it.from.as_deref(), it.to.as_deref())).collect();
        assert_eq!(shown, [("goes", Some("1"), None), ("moves", Some("1"), Some("2")), ("comes", None, Some("3"))]);
    }
}
