//! The bytes that change: each planned field becomes an insertion, a replacement or a removal at a known span.

use std::ops::Range;

use super::layout::{Form, Item, Layout, Pair, column, line_break, line_end, line_start, own_indent};
use super::plan::{Planned, Target, Wanted};
use super::quote::render;
use super::{FIELDS, create};

/// One replacement of bytes. An empty range inserts.
#[derive(Debug)]
pub(super) struct Splice {
    pub at: Range<usize>,
    pub text: String,
}

/// The edited text.
pub(super) fn apply(text: &str, layout: &Layout, plan: &[Planned]) -> String {
    let mut splices: Vec<Splice> = Vec::new();
    for planned in plan {
        let Target::Entry(index) = planned.target else { continue };
        splices.extend(planned.fields.iter().map(|it| field(text, &layout.items[index], planned, it)));
    }
    let created: Vec<&Planned> = plan.iter().filter(|it| it.target == Target::New).collect();
    if !created.is_empty() {
        splices.push(create::splice(text, layout, &created));
    }
    // Insertions go before a removal that begins at the same byte; the sort keeps the order of insertions.
    splices.sort_by_key(|it| (it.at.start, it.at.end));
    patch(text, &splices)
}

fn patch(text: &str, splices: &[Splice]) -> String {
    let mut edited = String::with_capacity(text.len() + 256);
    let mut at = 0;
    for splice in splices {
        // Spans of different fields do not overlap; were they to, the guard would see what became of it.
        edited.push_str(text.get(at..splice.at.start).unwrap_or_default());
        edited.push_str(&splice.text);
        at = splice.at.end.max(at);
    }
    edited.push_str(&text[at..]);
    edited
}

fn field(text: &str, item: &Item, planned: &Planned, wanted: &Wanted) -> Splice {
    match (item.pair(wanted.field), &wanted.new) {
        (Some(pair), Some(new)) if pair.form == Form::Empty => {
            Splice { at: pair.colon..pair.colon, text: format!(" {}", render(new, sibling_form(item))) }
        }
        (Some(pair), Some(new)) => Splice { at: pair.value.clone(), text: render(new, pair.form) },
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
fn add(text: &str, item: &Item, planned: &Planned, field: &str, value: &str) -> Splice {
    let leaves = |key: &str| planned.fields.iter().any(|it| it.field == key && it.new.is_none());
    let usual = ["name"].into_iter().chain(FIELDS).take_while(|it| *it != field);
    let anchor = usual.filter(|it| !leaves(it)).filter_map(|it| item.pair(it)).last().or(item.pairs.last());
    let Some(anchor) = anchor else { return Splice { at: item.span.end..item.span.end, text: String::new() } };
    let value = render(value, sibling_form(item));
    if item.flow {
        let quote = if text[anchor.key_span.clone()].starts_with('"') { "\"" } else { "" };
        let gap = gap_like(text, anchor.key_span.start);
        return Splice { at: anchor.end()..anchor.end(), text: format!(",{gap}{quote}{field}{quote}: {value}") };
    }
    let end = line_end(text, anchor.end());
    Splice { at: end..end, text: format!("{}{}{field}: {value}", line_break(text, end), indent(text, item)) }
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

fn remove(text: &str, item: &Item, pair: &Pair) -> Splice {
    let index = item.pairs.iter().position(|it| std::ptr::eq(it, pair)).unwrap_or(0);
    let next = item.pairs.get(index + 1);
    let gone = |at: Range<usize>| Splice { at, text: String::new() };
    if item.flow {
        return gone(flow_removal(text, item, pair, index, next));
    }
    let start = line_start(text, pair.key_span.start);
    let own_line = own_indent(text, pair.key_span.start).is_some();
    let end = line_end(text, pair.end());
    let comment = text[pair.end()..end].find('#').map(|it| pair.end() + it);
    match (own_line, comment, next) {
        // A comment is somebody's words: it stays, on the line that was the field's.
        (_, Some(comment), _) => gone(pair.key_span.start..comment),
        (true, None, _) => gone(whole_lines(text, start, end)),
        // The first field stands behind the dash: the next one moves up, unless a comment stands between them.
        (false, None, Some(next)) if !text[pair.end()..next.key_span.start].contains('#') => gone(pair.key_span.start..next.key_span.start),
        (false, None, _) => gone(pair.key_span.start..pair.end()),
    }
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
