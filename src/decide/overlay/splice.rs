//! The bytes that change: each planned field becomes an insertion, a replacement or a removal at a known span.

use std::ops::Range;

use super::layout::{Form, Item, Layout, Pair, column, line_break, line_end, line_start, own_indent};
use super::plan::{Planned, Target, Wanted};
use super::quote::render;
use super::{Change, Edited, FIELDS, line_at};

/// One replacement of bytes, and the changes it makes. An empty range inserts.
#[derive(Debug)]
pub(super) struct Splice {
    pub at: Range<usize>,
    pub text: String,
    pub changes: Vec<Change>,
}

/// The edits of entries that are there, in the order of the text. The lines of their changes are those of the text.
pub(super) fn splices(text: &str, layout: &Layout, plan: &[&Planned]) -> Vec<Splice> {
    let mut splices: Vec<Splice> = Vec::new();
    for planned in plan {
        let Target::Entry(index) = planned.target else { continue };
        let item = &layout.items[index];
        splices.extend(planned.fields.iter().map(|it| one(text, item, planned, it)));
    }
    // Insertions go before a removal that begins at the same byte; the sort keeps the order of insertions.
    splices.sort_by_key(|it| (it.at.start, it.at.end));
    splices
}

fn one(text: &str, item: &Item, planned: &Planned, wanted: &Wanted) -> Splice {
    let (at, new) = field(text, item, planned, wanted);
    let line = match item.pair(wanted.field) {
        Some(pair) => line_at(text, pair.key_span.start),
        // What is added begins with the line break that it needs, if any.
        None => line_at(text, at.start) + new.matches('\n').count(),
    };
    let change = Change { image: planned.name.clone(), field: wanted.field, line, old: wanted.old.clone(), new: wanted.new.clone() };
    Splice { at, text: new, changes: vec![change] }
}

/// The edited text. The lines of what is in it are counted again, in it; a removed field keeps its old line.
pub(super) fn patch(text: &str, splices: Vec<Splice>) -> Edited {
    let mut edited = Edited { text: String::with_capacity(text.len() + 256), changes: Vec::new() };
    let (mut at, mut moved) = (0, 0_isize);
    for splice in splices {
        // Spans of different fields do not overlap; were they to, the guard would see what became of it.
        edited.text.push_str(text.get(at..splice.at.start).unwrap_or_default());
        edited.text.push_str(&splice.text);
        edited.changes.extend(splice.changes.into_iter().map(|it| match it.new {
            Some(_) => Change { line: it.line.saturating_add_signed(moved), ..it },
            None => it,
        }));
        let breaks = |text: &str| text.matches('\n').count() as isize;
        moved += breaks(&splice.text) - breaks(text.get(splice.at.clone()).unwrap_or_default());
        at = splice.at.end.max(at);
    }
    edited.text.push_str(&text[at..]);
    edited
}

fn field(text: &str, item: &Item, planned: &Planned, wanted: &Wanted) -> (Range<usize>, String) {
    match (item.pair(wanted.field), &wanted.new) {
        (Some(pair), Some(new)) if pair.form == Form::Empty => (pair.colon..pair.colon, format!(" {}", render(new, sibling_form(item)))),
        (Some(pair), Some(new)) if pair.form == Form::Block => {
            let comments: String = inner_comments(text, pair).iter().map(|it| format!(" {it}")).collect();
            (pair.value.clone(), format!("{}{comments}", render(new, pair.form)))
        }
        (Some(pair), Some(new)) => (pair.value.clone(), render(new, pair.form)),
        (Some(pair), None) => remove(text, item, pair),
        (None, new) => add(text, item, planned, wanted.field, new.as_deref().unwrap_or_default()),
    }
}

/// The form of the values around: a new value is quoted as they are.
pub(super) fn sibling_form(item: &Item) -> Form {
    let mut forms = ["newTag", "digest", "name"].into_iter().filter_map(|it| item.pair(it)).map(|it| it.form);
    forms.find(|it| matches!(it, Form::Plain | Form::Single | Form::Double)).unwrap_or(Form::Plain)
}

/// Adds a field behind the one that comes before it in the usual order, of those that stay.
fn add(text: &str, item: &Item, planned: &Planned, field: &str, value: &str) -> (Range<usize>, String) {
    let leaves = |key: &str| planned.fields.iter().any(|it| it.field == key && it.new.is_none());
    let usual = ["name"].into_iter().chain(FIELDS).take_while(|it| *it != field);
    let anchor = usual.filter(|it| !leaves(it)).filter_map(|it| item.pair(it)).last().or(item.pairs.last());
    let Some(anchor) = anchor else { return (item.span.end..item.span.end, String::new()) };
    let value = render(value, sibling_form(item));
    if item.flow {
        let quote = if text[anchor.key_span.clone()].starts_with('"') { "\"" } else { "" };
        let gap = gap_like(text, anchor.key_span.start);
        return (anchor.end()..anchor.end(), format!(",{gap}{quote}{field}{quote}: {value}"));
    }
    let end = line_end(text, anchor.end());
    (end..end, format!("{}{}{field}: {value}", line_break(text, end), indent(text, item)))
}

/// What stands between two parts in braces or brackets: a space, or a line break and the indentation of the others.
pub(super) fn gap_like(text: &str, at: usize) -> String {
    own_indent(text, at).map_or_else(|| " ".to_owned(), |it| format!("{}{it}", line_break(text, line_end(text, at))))
}

/// The indentation of an entry's fields.
fn indent(text: &str, item: &Item) -> String {
    let own_line = item.pairs.iter().find_map(|it| own_indent(text, it.key_span.start));
    own_line.map_or_else(|| " ".repeat(item.pairs.first().map_or(0, |it| column(text, it.key_span.start))), str::to_owned)
}

fn remove(text: &str, item: &Item, pair: &Pair) -> (Range<usize>, String) {
    let index = item.pairs.iter().position(|it| std::ptr::eq(it, pair)).unwrap_or(0);
    let next = item.pairs.get(index + 1);
    let gone = |at: Range<usize>| (at, String::new());
    if item.flow {
        return gone(flow_removal(text, item, pair, index, next));
    }
    let end = line_end(text, pair.end());
    let mut comments = inner_comments(text, pair);
    comments.extend(text[pair.end()..end].find('#').map(|it| &text[pair.end() + it..end]));
    if !comments.is_empty() {
        // A comment is somebody's words: it stays, on the line that was the field's.
        let kept = comments.join(&format!("{}{}", line_break(text, end), indent(text, item)));
        return (pair.key_span.start..end, kept);
    }
    match (own_indent(text, pair.key_span.start), next) {
        (Some(_), _) => gone(whole_lines(text, line_start(text, pair.key_span.start), end)),
        // The first field stands behind the dash: the next one moves up, unless a comment stands between them.
        (None, Some(next)) if !text[pair.end()..next.key_span.start].contains('#') => gone(pair.key_span.start..next.key_span.start),
        (None, _) => gone(pair.key_span.start..pair.end()),
    }
}

/// Comments between a key and the end of its value: behind the colon, or behind the `|` of a block.
fn inner_comments<'a>(text: &'a str, pair: &Pair) -> Vec<&'a str> {
    let gap = if pair.form == Form::Block { pair.value.start..line_end(text, pair.value.start) } else { pair.colon..pair.value.start };
    let lines = text.get(gap).unwrap_or_default().lines();
    lines.filter_map(|line| line.find('#').map(|it| line[it..].trim_end())).collect()
}

/// From the start of the first line to the break behind the last; in a file without a final break, the one before.
fn whole_lines(text: &str, start: usize, end: usize) -> Range<usize> {
    if end < text.len() {
        return start..end + line_break(text, end).len();
    }
    let before = text[..start].strip_suffix("\r\n").or_else(|| text[..start].strip_suffix('\n'));
    before.map_or(start, str::len)..end
}

fn flow_removal(text: &str, item: &Item, pair: &Pair, index: usize, next: Option<&Pair>) -> Range<usize> {
    let previous = index.checked_sub(1).map(|it| &item.pairs[it]);
    match (previous, next) {
        (Some(previous), _) if !text[previous.end()..pair.key_span.start].contains('#') => previous.end()..pair.end(),
        (None, Some(next)) if !text[pair.end()..next.key_span.start].contains('#') => pair.key_span.start..next.key_span.start,
        // Comments around: only the field and its comma go.
        _ => {
            let rest = &text[pair.end()..];
            let comma = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            let behind = if rest[comma..].starts_with(',') { &rest[comma + 1..] } else { rest };
            pair.key_span.start..text.len() - behind.trim_start_matches([' ', '\t']).len()
        }
    }
}
