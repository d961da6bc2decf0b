//! New entries, and `images` itself where it is missing: in the style and with the line breaks of the file.

use std::ops::Range;

use super::layout::{Form, Images, Item, Layout, Pair, Root, column, line_break, line_end};
use super::plan::Planned;
use super::quote::render;
use super::splice::{Splice, gap_like, sibling_form};

/// How new entries look: like the last one.
struct Style {
    quoted_keys: bool,
    form: Form,
}

/// The insertion that adds these entries.
pub(super) fn splice(text: &str, layout: &Layout, created: &[&Planned]) -> Splice {
    let style = style(text, layout);
    match (&layout.images, &layout.root) {
        (Images::Block(dash), _) => behind_last(text, &style, created, *dash, &layout.items),
        (Images::Flow(span), _) => in_brackets(text, &style, created, span.start + 1, &layout.items),
        (Images::Null(value), Root::Block { indent, lists }) => below_key(text, &style, created, value, &list_indent(indent, *lists)),
        (Images::Null(value), _) => Splice { at: value.clone(), text: format!(" [{}]", braces(&style, created).join(", ")) },
        (Images::Absent, Root::Flow { pairs, span }) => in_braces(text, &style, created, pairs, span.start + 1),
        (Images::Absent, Root::Block { indent, lists }) => at_end(text, &style, created, indent, &list_indent(indent, *lists)),
        (Images::Absent, Root::Empty) => at_end(text, &style, created, "", ""),
    }
}

fn list_indent(indent: &str, lists: Option<usize>) -> String {
    format!("{indent}{}", " ".repeat(lists.unwrap_or(0)))
}

fn style(text: &str, layout: &Layout) -> Style {
    let json = |pairs: &[Pair]| pairs.first().is_some_and(|it| text[it.key_span.clone()].starts_with('"'));
    let last = layout.items.iter().rev().find(|it| !it.pairs.is_empty());
    let quoted_keys =
        last.map_or(matches!(&layout.root, Root::Flow { pairs, .. } if json(pairs) || pairs.is_empty()), |it| json(&it.pairs));
    let form = if quoted_keys { Form::Double } else { last.map_or(Form::Plain, sibling_form) };
    Style { quoted_keys, form }
}

/// One entry as dashed lines, each but the first behind a line break.
fn dashed(style: &Style, planned: &Planned, dash: &str, fields: &str, eol: &str) -> String {
    let mut lines = vec![format!("{dash}name: {}", render(&planned.name, style.form))];
    let set = planned.fields.iter().filter_map(|it| Some((it.field, it.new.as_deref()?)));
    lines.extend(set.map(|(field, value)| format!("{fields}{field}: {}", render(value, style.form))));
    lines.join(eol)
}

/// The entries in braces.
fn braces(style: &Style, created: &[&Planned]) -> Vec<String> {
    let key = |it: &str| if style.quoted_keys { format!("\"{it}\"") } else { it.to_owned() };
    let one = |planned: &&Planned| {
        let set = planned.fields.iter().filter_map(|it| Some((it.field, it.new.as_deref()?)));
        let all = [("name", planned.name.as_str())].into_iter().chain(set);
        let pairs: Vec<String> = all.map(|(field, value)| format!("{}: {}", key(field), render(value, style.form))).collect();
        format!("{{{}}}", pairs.join(", "))
    };
    created.iter().map(one).collect()
}

fn behind_last(text: &str, style: &Style, created: &[&Planned], dash: usize, items: &[Item]) -> Splice {
    let dash_indent = " ".repeat(column(text, dash));
    let first = items.first();
    let behind_dash = first.map_or("", |it| text.get(dash + 1..it.span.start).unwrap_or_default());
    let gap = if !behind_dash.is_empty() && behind_dash.chars().all(|c| c == ' ') { behind_dash } else { " " };
    let end = items.last().map_or(dash, |it| content_end(text, it));
    let fields = format!("{dash_indent} {gap}");
    let end = behind_comments(text, line_end(text, end), fields.len());
    let eol = line_break(text, end);
    let one = |it: &&Planned| {
        let braces_like = items.iter().all(|it| it.flow && it.shared.is_none());
        let entry = if braces_like {
            format!("{dash_indent}-{gap}{}", braces(style, &[it]).concat())
        } else {
            dashed(style, it, &format!("{dash_indent}-{gap}"), &fields, eol)
        };
        format!("{eol}{entry}")
    };
    Splice { at: end..end, text: created.iter().map(one).collect() }
}

/// Where the last written byte of an entry ends.
fn content_end(text: &str, item: &Item) -> usize {
    let last = item.pairs.last().filter(|_| !item.flow).map(Pair::end);
    last.unwrap_or_else(|| item.span.start + text[item.span.clone()].trim_end().len())
}

/// Comments that are indented like the entry's fields belong to it.
fn behind_comments(text: &str, mut end: usize, indent: usize) -> usize {
    loop {
        let next = end + line_break(text, end).len();
        let Some(line) = text.get(next..).filter(|it| !it.is_empty()) else { return end };
        let code = line.trim_start_matches(' ');
        if line.len() - code.len() < indent || !code.starts_with('#') {
            return end;
        }
        end = line_end(text, next);
    }
}

fn in_brackets(text: &str, style: &Style, created: &[&Planned], open: usize, items: &[Item]) -> Splice {
    let entries = braces(style, created);
    let Some(last) = items.last() else { return Splice { at: open..open, text: entries.join(", ") } };
    let gap = gap_like(text, last.span.start);
    let behind: String = entries.iter().map(|it| format!(",{gap}{it}")).collect();
    Splice { at: last.span.end..last.span.end, text: behind }
}

/// `"images": […]` as the last field of the top level's braces.
fn in_braces(text: &str, style: &Style, created: &[&Planned], pairs: &[Pair], open: usize) -> Splice {
    let key = if style.quoted_keys { "\"images\"" } else { "images" };
    let field = format!("{key}: [{}]", braces(style, created).join(", "));
    let Some(last) = pairs.last() else { return Splice { at: open..open, text: field } };
    let gap = gap_like(text, last.key_span.start);
    Splice { at: last.end()..last.end(), text: format!(",{gap}{field}") }
}

fn below_key(text: &str, style: &Style, created: &[&Planned], value: &Range<usize>, indent: &str) -> Splice {
    // A written null goes; a comment behind it stays.
    let end = line_end(text, value.end);
    let eol = line_break(text, end);
    let entries: String =
        created.iter().map(|it| format!("{eol}{}", dashed(style, it, &format!("{indent}- "), &format!("{indent}  "), eol))).collect();
    Splice { at: value.start..end, text: format!("{}{entries}", &text[value.end..end]) }
}

/// `images:` behind everything else, but before an end marker.
fn at_end(text: &str, style: &Style, created: &[&Planned], indent: &str, list: &str) -> Splice {
    let body = text.trim_end();
    let body = body.strip_suffix("\n...").map_or(body, str::trim_end);
    let end = body.len();
    let eol = line_break(text, end);
    let entries: String =
        created.iter().map(|it| format!("{eol}{}", dashed(style, it, &format!("{list}- "), &format!("{list}  "), eol))).collect();
    let written = format!("{indent}images:{entries}");
    let empty = body.trim_start_matches('\u{feff}').is_empty();
    Splice { at: end..end, text: if empty { format!("{written}{eol}") } else { format!("{eol}{written}") } }
}
