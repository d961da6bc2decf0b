//! Properties over random kustomizations in many styles. A failure prints the smallest input that shows it.

use proptest::prelude::*;
use tomoda_release::decide::overlay::{Edit, Field, edit, entries};

/// How a file is written.
#[derive(Clone, Debug)]
struct Style {
    crlf: bool,
    bom: bool,
    marker: bool,
    final_newline: bool,
    list_indent: usize,
    dash_gap: usize,
    flow: bool,
    quote: usize,
}

/// One entry: its fields in some order, with comments.
#[derive(Clone, Debug)]
struct Written {
    fields: Vec<(&'static str, String)>,
    comments: Vec<usize>,
}

const TAGS: &[&str] =
    &["v1", "1.2.3", "1.10", "1e3", "true", "dev-0a1b2c3", "2024-01-01", "12345678", "latest", "0x1f", "null", "9e15f2a", "1_000"];
const AROUND: &[&str] = &[
    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
    "resources:\n- ../../base\n- hpa.yaml\n\n",
    "namespace: prod # v1\n",
    "patches:\n- patch: |-\n    - op: add\n      path: /a # not a comment\n\n    - op: remove\n      path: /b\n  target: { kind: Deployment }\n",
    "configMapGenerator:\n- name: c\n  literals:\n  - \"A=x\n\n    y\"\n  - B=newTag\n",
    "commonAnnotations:\n  note: >-\n    images:\n\n    - name: app\n",
    "# images:\n# - name: app0\n#   newTag: v0\n",
    "labels: [{pairs: {env: prod}}]   # aligned\n",
];

fn style() -> impl Strategy<Value = Style> {
    let bools = (any::<bool>(), prop::bool::weighted(0.2), any::<bool>(), any::<bool>(), prop::bool::weighted(0.3));
    (bools, 0..5usize, 1..4usize, 0..3usize).prop_map(|((crlf, bom, marker, final_newline, flow), list_indent, dash_gap, quote)| Style {
        crlf,
        bom,
        marker,
        final_newline,
        list_indent,
        dash_gap,
        flow,
        quote,
    })
}

fn entry() -> impl Strategy<Value = Written> {
    let tag = prop::option::weighted(0.8, prop::sample::select(TAGS));
    let digest = prop::option::weighted(0.5, any::<u64>());
    (tag, digest, any::<bool>(), Just(()).prop_perturb(|(), rng| rng), prop::collection::vec(0..4usize, 5)).prop_map(
        |(tag, digest, renamed, mut rng, comments)| {
            let mut fields: Vec<(&'static str, String)> = vec![("name", String::new())];
            fields.extend(renamed.then(|| ("newName", "host.example:5000/team/app".to_owned())));
            fields.extend(tag.map(|it| ("newTag", it.to_owned())));
            fields.extend(digest.map(|it| ("digest", format!("sha256:{it:064x}"))));
            for i in (1..fields.len()).rev() {
                fields.swap(i, (rng.next_u32() as usize) % (i + 1));
            }
            Written { fields, comments }
        },
    )
}

fn file() -> impl Strategy<Value = String> {
    let around = prop::collection::vec(prop::sample::subsequence(AROUND, 0..5), 2);
    (style(), prop::collection::vec(entry(), 1..5), around).prop_map(|(style, entries, around)| {
        let mut text = if style.marker { "---\n".to_owned() } else { String::new() };
        // Each part once: kustomizations have no key twice.
        let after: Vec<&&str> = around[1].iter().filter(|it| !around[0].contains(it)).collect();
        text.extend(around[0].iter().copied());
        text.push_str("images:\n");
        entries.iter().enumerate().for_each(|(n, it)| text.push_str(&write_entry(n, it, &style)));
        text.extend(after.into_iter().copied());
        if !style.final_newline {
            text.truncate(text.trim_end().len());
        }
        let text = if style.crlf { text.replace('\n', "\r\n") } else { text };
        if style.bom { format!("\u{feff}{text}") } else { text }
    })
}

/// Values that YAML would not read as text are quoted in any case, as people have to.
fn value(text: &str, style: &Style) -> String {
    let text_anyway = text.starts_with('v')
        || text.contains('/')
        || text.starts_with("sha256:")
        || ["1.2.3", "latest", "app"].iter().any(|it| text.starts_with(it));
    match style.quote {
        1 => format!("'{text}'"),
        0 if text_anyway => text.to_owned(),
        _ => format!("\"{text}\""),
    }
}

fn write_entry(n: usize, entry: &Written, style: &Style) -> String {
    let named = |(key, it): &(&'static str, String)| {
        (
            *key,
            if *key == "name" {
                format!("app{n}")
            } else if *key == "newName" {
                format!("{it}{n}")
            } else {
                it.clone()
            },
        )
    };
    let fields: Vec<String> = entry.fields.iter().map(named).map(|(key, it)| format!("{key}: {}", value(&it, style))).collect();
    let (indent, gap) = (" ".repeat(style.list_indent), " ".repeat(style.dash_gap));
    if style.flow {
        return format!("{indent}-{gap}{{ {} }}   # v1\n", fields.join(", "));
    }
    let mut text = String::new();
    for (i, field) in fields.iter().enumerate() {
        let lead = if i == 0 { format!("{indent}-{gap}") } else { format!("{indent} {gap}") };
        let comment = match entry.comments.get(i) {
            Some(1) => "   # newTag: v1",
            Some(2) => " #\ttab ",
            _ => "",
        };
        if entry.comments.get(i) == Some(&3) && i > 0 {
            text.push_str(&format!("{lead}# in between\n\n"));
        }
        text.push_str(&format!("{lead}{field}{comment}\n"));
    }
    text
}

fn digest(n: u64) -> String {
    format!("sha256:{n:064x}")
}

/// The texts with every line that differs taken out of both.
fn unchanged_lines<'a>(before: &'a str, after: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let own = |it: &&str| !["newTag:", "digest:"].iter().any(|key| it.contains(key));
    (before.lines().filter(own).collect(), after.lines().filter(own).collect())
}

/// How many files each property sees; `PROPTEST_CASES` for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_intended_fields_change(text in file(), pick in any::<prop::sample::Index>(), tag in prop::sample::select(TAGS), number in any::<u64>()) {
        let before = entries("k", &text).unwrap();
        let image = &before[pick.index(before.len())].name;
        let wanted = Edit { image: image.clone(), new_tag: Field::Set(tag.to_owned()), digest: Field::Set(digest(number)), ..Edit::default() };
        let done = edit("k", &text, std::slice::from_ref(&wanted)).unwrap();

        let after = entries("k", &done.text).unwrap();
        for (old, new) in before.iter().zip(&after) {
            if old.name == *image {
                prop_assert_eq!((&new.new_tag, &new.digest), (&Some(tag.to_owned()), &Some(digest(number))));
                prop_assert_eq!(&new.new_name, &old.new_name);
            } else {
                prop_assert_eq!((&new.new_tag, &new.digest, &new.new_name), (&old.new_tag, &old.digest, &old.new_name));
            }
        }
        if !text.contains("{ name") && !text.contains("- {") && !text.contains("-  {") && !text.contains("-   {") {
            let (old, new) = unchanged_lines(&text, &done.text);
            prop_assert_eq!(old, new);
        }
        let added = done.changes.iter().filter(|it| it.old.is_none()).count();
        prop_assert!(done.text.lines().count() <= text.lines().count() + added);
        prop_assert_eq!(done.text.contains("\r\n"), text.contains("\r\n"));
        prop_assert!(!text.contains('\r') || !done.text.replace("\r\n", "").contains('\n'), "mixed line breaks");
        prop_assert_eq!(done.text.ends_with('\n'), text.ends_with('\n'));

        let again = edit("k", &done.text, &[wanted]).unwrap();
        prop_assert_eq!(&again.text, &done.text);
        prop_assert!(again.changes.is_empty());
    }

    #[test]
    fn there_and_back_gives_the_same_bytes(text in file(), pick in any::<prop::sample::Index>(), tag in prop::sample::select(&["v9", "dev-9", "x1.y"][..])) {
        let before = entries("k", &text).unwrap();
        let entry = &before[pick.index(before.len())];
        let to = |tag: &Option<String>, digest: &Option<String>| {
            let set = |it: &Option<String>| it.clone().map_or(Field::Keep, Field::Set);
            Edit { image: entry.name.clone(), new_tag: set(tag), digest: set(digest), ..Edit::default() }
        };
        // What is there is replaced, in place.
        let other = to(&entry.new_tag.as_ref().map(|_| tag.to_owned()), &entry.digest.as_ref().map(|_| digest(9)));
        let there = edit("k", &text, &[other]).unwrap();
        let back = edit("k", &there.text, &[to(&entry.new_tag, &entry.digest)]).unwrap();
        prop_assert_eq!(back.text, text);
    }

    #[test]
    fn a_field_added_and_removed_leaves_no_trace(text in file(), pick in any::<prop::sample::Index>()) {
        let before = entries("k", &text).unwrap();
        let entry = &before[pick.index(before.len())];
        prop_assume!(entry.digest.is_none());
        let with = |digest: Field| Edit { image: entry.name.clone(), digest, ..Edit::default() };
        let there = edit("k", &text, &[with(Field::Set(digest(7)))]).unwrap();
        let back = edit("k", &there.text, &[with(Field::Remove)]).unwrap();
        prop_assert_eq!(back.text, text);
    }

    #[test]
    fn a_new_entry_changes_no_line_that_is_there(text in file()) {
        let new = Edit { image: "brand/new".to_owned(), new_tag: Field::Set("1.0".to_owned()), create: true, ..Edit::default() };
        let done = edit("k", &text, &[new]).unwrap();
        let mut lines = done.text.lines();
        for line in text.lines() {
            prop_assert!(lines.any(|it| it == line), "{line:?} is gone or moved");
        }
        prop_assert_eq!(entries("k", &done.text).unwrap().last().map(|it| it.new_tag.clone()), Some(Some("1.0".to_owned())));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-a:{}\\[\\] \\n\"'#&*!|>~\\\\imagesnTg]{0,80}") {
        let wanted = Edit { image: "a".to_owned(), new_tag: Field::Set("v1".to_owned()), create: true, ..Edit::default() };
        for text in [text.clone(), format!("images:\n- name: a\n  newTag: {text}"), format!("images:\n- name: a{text}"), format!("{text}\nimages: [{{name: a}}]")] {
            if let Ok(done) = edit("k", &text, std::slice::from_ref(&wanted)) {
                prop_assert!(edit("k", &done.text, std::slice::from_ref(&wanted)).is_ok_and(|it| it.changes.is_empty()));
            }
        }
    }
}
