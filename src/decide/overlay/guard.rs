//! The last word: the edited text, read strictly, has to be the old one with the planned fields changed and no other,
//! and to have the same comments.

use serde_yaml::{Mapping, Value};

use super::layout::{Layout, comments, line_start};
use super::plan::{Planned, Target};
use super::splice::Splice;
use super::strict;
use crate::error::{Error, Result};

/// Reads the edited text again and compares.
pub(super) fn check(file: &str, before: &Value, plan: &[Planned], edited: &str) -> Result<()> {
    let after = strict::read(file, edited).map_err(|error| refused(file, &error.chain()))?;
    match expected(before, plan) {
        Some(expected) if expected == after => Ok(()),
        _ => Err(refused(file, "the two readings differ")),
    }
}

/// A comment may move with its field, but not go.
pub(super) fn comments_stay(file: &str, text: &str, splices: &[Splice]) -> Result<()> {
    let near = |splice: &Splice| text[line_start(text, splice.at.start)..splice.at.end].contains('#');
    if !splices.iter().any(near) {
        return Ok(());
    }
    let comments = comments(text);
    let lost = |splice: &Splice| {
        let mut inside = comments.iter().filter(|it| it.start < splice.at.end && splice.at.start < it.end);
        inside.any(|it| !splice.text.contains(&text[it.clone()]))
    };
    if splices.iter().any(lost) { Err(refused(file, "a comment would be lost")) } else { Ok(()) }
}

/// Where everything stands in a text that is edited in part.
pub(super) fn reread(file: &str, edited: &str) -> Result<Layout> {
    let strict = strict::read(file, edited).map_err(|error| refused(file, &error.chain()))?;
    Layout::read(file, edited, &strict)
}

fn refused(file: &str, why: &str) -> Error {
    Error::refused(format!("{file} is left as it is: an edit would have changed more than was asked for ({why})."))
        .hint("this layout is unusual: edit the entry by hand, or write it more plainly")
}

/// What the strict reader has to see afterwards.
fn expected(before: &Value, plan: &[Planned]) -> Option<Value> {
    let mut root = if before.is_null() { Value::Mapping(Mapping::new()) } else { before.clone() };
    let images = root.as_mapping_mut()?.entry("images".into()).or_insert(Value::Null);
    if images.is_null() {
        *images = Value::Sequence(Vec::new());
    }
    let images = images.as_sequence_mut()?;
    for planned in plan {
        let entry = match planned.target {
            Target::Entry(index) => images.get_mut(index)?.as_mapping_mut()?,
            Target::New => {
                images.push(Value::Mapping(Mapping::from_iter([("name".into(), planned.name.as_str().into())])));
                images.last_mut()?.as_mapping_mut()?
            }
        };
        for wanted in &planned.fields {
            match &wanted.new {
                Some(new) => entry.insert(wanted.field.into(), new.as_str().into()),
                None => entry.remove(wanted.field),
            };
        }
    }
    Some(root)
}

#[cfg(test)]
mod tests {
    use super::super::plan::Wanted;
    use super::*;
    use crate::error::Kind;

    const BEFORE: &str = "namespace: a\nimages:\n- name: app\n  newTag: v1 # c\n- name: b\n  newTag: v1\n";

    fn verdict(edited: &str) -> Result<()> {
        let fields = vec![Wanted { field: "newTag", old: Some("v1".to_owned()), new: Some("v2".to_owned()) }];
        let plan = [Planned { target: Target::Entry(0), name: "app".to_owned(), fields }];
        check("k", &strict::read("k", BEFORE).unwrap(), &plan, edited)
    }

    #[test]
    fn a_comment_may_move_but_not_go() {
        let comment = BEFORE.find('#').unwrap();
        let verdict = |at: std::ops::Range<usize>, text: &str| {
            comments_stay("k", BEFORE, &[Splice { at, text: text.to_owned(), changes: Vec::new() }])
        };
        assert!(verdict(comment - 3..comment - 1, "v2").is_ok());
        assert!(verdict(comment - 3..comment + 3, "v2 # c").is_ok());
        assert!(verdict(comment - 3..comment + 3, "v2").is_err());
        assert!(verdict(comment + 1..comment + 2, "").is_err());
    }

    #[test]
    fn what_was_planned_passes() {
        assert!(verdict(&BEFORE.replacen("v1", "v2", 1)).is_ok());
    }

    #[test]
    fn anything_else_is_refused() {
        let planned = BEFORE.replacen("v1", "v2", 1);
        let wrong = [
            BEFORE.to_owned(),
            BEFORE.replace("v1", "v2"),
            planned.replace("namespace: a", "namespace: b"),
            planned.replace("newTag: v2", "newTag: 2"),
            planned.replace("newTag: v2", "newTag: v2\n  newTag: v2"),
            planned.replace("namespace: a\n", ""),
            format!("{planned}extra: 1\n"),
            format!("{planned}---\na: b\n"),
            format!("{planned}  - broken\n"),
        ];
        for it in wrong {
            let error = verdict(&it).expect_err(&it);
            assert_eq!(error.kind(), Kind::Refused, "{it}");
        }
    }
}
