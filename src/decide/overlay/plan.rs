//! What has to change: edits matched to entries, judged, and reduced to the fields that do not say it already.

use serde_yaml::Value;

use super::entries::{find, same_image, without_version};
use super::layout::{Form, Item, Layout};
use super::quote::reads_as_text;
use super::{Edit, Entry, FIELDS, Field, field, line_at};
use crate::error::{Error, Result};

/// One entry that changes.
#[derive(Debug)]
pub(super) struct Planned {
    pub target: Target,
    /// The entry's `name`.
    pub name: String,
    /// In the order of [`FIELDS`]; never empty for an entry that exists.
    pub fields: Vec<Wanted>,
}

/// Which entry changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The one at this place in the list.
    Entry(usize),
    /// One that is added at the end.
    New,
}

/// One field that changes; `None` is a field that is not there (any more).
#[derive(Debug)]
pub(super) struct Wanted {
    pub field: &'static str,
    pub old: Option<String>,
    pub new: Option<String>,
}

/// The file, in every form in which it is needed here.
struct Sight<'a> {
    file: &'a str,
    text: &'a str,
    layout: &'a Layout,
    present: &'a [Entry],
    strict: &'a Value,
}

/// Matches the edits to entries. In the order of the entries, new ones last.
pub(super) fn plan(
    file: &str,
    text: &str,
    layout: &Layout,
    present: &[Entry],
    strict: &Value,
    edits: &[Edit],
) -> Result<Vec<Planned>, Vec<Error>> {
    let sight = Sight { file, text, layout, present, strict };
    let (merged, mut problems) = merge(edits);
    let mut planned: Vec<Planned> = Vec::new();
    for edit in &merged {
        match sight.one(edit) {
            Ok(it) if it.target != Target::New && planned.iter().any(|other| other.target == it.target) => {
                problems.push(Error::usage(format!("{} is asked for twice: by its name and by its newName.", it.name)));
            }
            Ok(it) => planned.push(it),
            Err(error) => problems.push(error),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    planned.retain(|it| it.target == Target::New || !it.fields.is_empty());
    planned.sort_by_key(|it| match it.target {
        Target::Entry(index) => index,
        Target::New => usize::MAX,
    });
    Ok(planned)
}

/// Several edits of one image become one, as long as they do not contradict each other.
fn merge(edits: &[Edit]) -> (Vec<Edit>, Vec<Error>) {
    let (mut merged, mut problems) = (Vec::<Edit>::new(), Vec::new());
    for edit in edits {
        let Some(same) = merged.iter_mut().find(|it| it.image == edit.image) else {
            merged.push(edit.clone());
            continue;
        };
        let fields = [(&mut same.new_name, &edit.new_name), (&mut same.new_tag, &edit.new_tag), (&mut same.digest, &edit.digest)];
        for ((ours, theirs), name) in fields.into_iter().zip(FIELDS) {
            match (&*ours, theirs) {
                (_, Field::Keep) => {}
                (Field::Keep, _) => *ours = theirs.clone(),
                (a, b) if a == b => {}
                // “app:v2 app@sha256:…”: the tag alone would take the old digest away; here is the new one.
                (Field::Set(_), Field::Remove) => {}
                (Field::Remove, Field::Set(_)) => *ours = theirs.clone(),
                _ => problems.push(Error::usage(format!("{} is asked for twice, with a different {name} each time.", edit.image))),
            }
        }
        same.create |= edit.create;
    }
    (merged, problems)
}

impl Sight<'_> {
    fn one(&self, edit: &Edit) -> Result<Planned> {
        for (value, name) in wanted(edit).iter().zip(FIELDS) {
            if let Field::Set(value) = value {
                writable(&edit.image, name, value)?;
            }
        }
        let known = self.present.iter().any(|it| it.name == edit.image || it.new_name.as_ref() == Some(&edit.image));
        if !known && edit.create {
            return self.new_entry(edit);
        }
        let entry = find(self.file, self.present, &edit.image)?;
        let index = self.present.iter().position(|it| std::ptr::eq(it, entry)).expect("it was found in this list");
        let item = &self.layout.items[index];
        let value = &self.strict["images"][index];
        let fields: Vec<Wanted> = wanted(edit)
            .into_iter()
            .zip(FIELDS)
            .zip([&entry.new_name, &entry.new_tag, &entry.digest])
            .filter_map(|((wanted, name), old)| change(wanted, name, old.as_ref(), value, item))
            .collect();
        if !fields.is_empty() {
            self.allowed(edit, entry, item, &fields)?;
        }
        Ok(Planned { target: Target::Entry(index), name: entry.name.clone(), fields })
    }

    fn new_entry(&self, edit: &Edit) -> Result<Planned> {
        writable(&edit.image, "name", &edit.image)?;
        if let Some(same) = same_image(self.present, &edit.image) {
            return Err(Error::refused(format!(
                "{}:{} already has an entry for this image, spelled {}; a second one for {} would hide it.",
                self.file, same.line, same.name, edit.image
            ))
            .hint(format!("ask for {}", same.name)));
        }
        if let Field::Set(it) = &edit.new_name
            && without_version(it) != it
        {
            return Err(Error::refused(format!("The newName “{it}” for {} contains a tag or digest.", edit.image)));
        }
        let set = |(field, name): (&Field, _)| match field {
            Field::Set(value) => Some(Wanted { field: name, old: None, new: Some(value.clone()) }),
            _ => None,
        };
        Ok(Planned {
            target: Target::New,
            name: edit.image.clone(),
            fields: wanted(edit).into_iter().zip(FIELDS).filter_map(set).collect(),
        })
    }

    /// Refuses what kustomize would make something else of, and bytes that belong to others too.
    fn allowed(&self, edit: &Edit, entry: &Entry, item: &Item, fields: &[Wanted]) -> Result<()> {
        let objection = objection(edit, entry, item, fields).or_else(|| fields.iter().find_map(|it| self.fixed(item, it.field)));
        let Some((key, why)) = objection else { return Ok(()) };
        let line = line_at(self.text, item.pair(key).map_or(item.span.start, |it| it.key_span.start));
        Err(Error::refused(format!("{}:{line}: the entry of {} is not edited: {why}.", self.file, entry.name)))
    }

    /// Why this field cannot be written where it stands.
    fn fixed<'k>(&self, item: &Item, key: &'k str) -> Option<(&'k str, String)> {
        let pair = item.pair(key)?;
        let why = match pair.form {
            _ if pair.anchored => "has an anchor, so that it is used elsewhere too",
            Form::Alias => "is an alias of something written elsewhere",
            Form::Collection => "is not text",
            _ if self.text[pair.value.clone()].contains("{{") => "is template text",
            _ => return None,
        };
        Some((key, format!("its {key} {why}")))
    }
}

/// Why this entry is not to be edited like this, and which field is the reason.
fn objection(edit: &Edit, entry: &Entry, item: &Item, fields: &[Wanted]) -> Option<(&'static str, String)> {
    if let Some(why) = item.shared {
        return Some(("", why.to_owned()));
    }
    let pinned = match &edit.digest {
        Field::Keep => entry.digest.is_some(),
        wanted => matches!(wanted, Field::Set(_)),
    };
    if pinned && item.pair("tagSuffix").is_some() {
        return Some(("tagSuffix", "its “tagSuffix” and a digest contradict each other: the digest decides what runs".to_owned()));
    }
    let new_name = match &edit.new_name {
        Field::Keep => entry.new_name.as_deref(),
        Field::Set(it) => Some(it.as_str()),
        Field::Remove => None,
    };
    if let Some(it) = new_name.filter(|it| without_version(it) != *it) {
        return Some(("newName", format!("its newName “{it}” contains a tag or digest")));
    }
    let retagged = fields.iter().any(|it| it.field == "newTag" && it.old != it.new);
    let digest = entry.digest.as_ref().filter(|_| retagged && edit.digest == Field::Keep)?;
    Some(("digest", format!("its digest {digest} would stay, and it decides what runs; set the digest too, or remove it")))
}

fn wanted(edit: &Edit) -> [&Field; 3] {
    [&edit.new_name, &edit.new_tag, &edit.digest]
}

/// Nothing, when the field says it already.
fn change(wanted: &Field, name: &'static str, old: Option<&String>, value: &Value, item: &Item) -> Option<Wanted> {
    match wanted {
        Field::Keep => None,
        Field::Remove => old.map(|old| Wanted { field: name, old: Some(old.clone()), new: None }),
        Field::Set(new) => {
            let plain = item.pair(name).is_some_and(|it| it.form == Form::Plain);
            let text = field(value, name).and_then(Value::as_str);
            let already = text == Some(new) && (!plain || reads_as_text(new));
            (!already).then(|| Wanted { field: name, old: old.cloned(), new: Some(new.clone()) })
        }
    }
}

fn writable(image: &str, name: &str, value: &str) -> Result<()> {
    if value.is_empty() || value.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\u{feff}') {
        return Err(Error::usage(format!(
            "The {name} “{}” for {} is empty or has blanks in it.",
            value.escape_debug(),
            image.escape_debug()
        )));
    }
    Ok(())
}
