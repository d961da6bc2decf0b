//! What a list or a watch is asked for, and the list itself.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kind::Kind;
use super::refusal::Refusal;
use super::selector::{FieldSelector, LabelSelector};
use super::store::{Key, Store};
use super::table::table;

/// In which shape objects are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Plain,
    Table,
}

impl Shape {
    /// The first form in the `Accept` header that this server has.
    pub(super) fn of(accept: &str) -> Result<Self, Refusal> {
        for form in accept.split(',').map(str::trim) {
            let mut parts = form.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let wanted = parts.find(|it| it.starts_with("as="));
            match (media, wanted) {
                ("application/json", Some("as=Table")) => return Ok(Self::Table),
                ("application/json" | "*/*" | "application/*" | "", None) => return Ok(Self::Plain),
                _ => {}
            }
        }
        Err(Refusal::not_rehearsed(format!("answers in the form “{accept}”")))
    }
}

/// Which objects of a kind are wanted.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) kind: &'static Kind,
    pub(super) namespace: Option<String>,
    pub(super) labels: LabelSelector,
    pub(super) fields: FieldSelector,
    pub(super) shape: Shape,
}

impl Selection {
    /// Whether this object is wanted.
    pub(super) fn selects(&self, key: &Key, object: &Value) -> bool {
        let here = key.group == self.kind.group && key.kind == self.kind.kind;
        here && self.namespace.as_ref().is_none_or(|it| *it == key.namespace) && self.labels.selects(object) && self.fields.selects(object)
    }

    fn chosen<'s>(&'s self, store: &'s Store) -> impl Iterator<Item = &'s Arc<Value>> {
        let all = store.list(self.kind.group, self.kind.kind, self.namespace.as_deref());
        all.filter(|(key, object)| self.selects(key, object)).map(|(_, object)| object)
    }

    /// The objects that are wanted now.
    pub(super) fn objects(&self, store: &Store) -> Vec<Arc<Value>> {
        self.chosen(store).cloned().collect()
    }

    /// The list, at most `limit` objects of it, from the one that `resume` names.
    pub(super) fn list(&self, store: &Store, limit: usize, resume: usize, now: Timestamp) -> Value {
        let all = self.objects(store);
        let page: Vec<&Value> = all.iter().skip(resume).take(limit).map(|it| &**it).collect();
        let mut metadata = json!({ "resourceVersion": store.version().to_string() });
        let left = all.len().saturating_sub(resume + page.len());
        if left > 0 {
            metadata["continue"] = json!((resume + page.len()).to_string());
            metadata["remainingItemCount"] = json!(left);
        }
        match self.shape {
            Shape::Table => table(self.kind, &page, &metadata, true, now),
            Shape::Plain => json!({
                "kind": format!("{}List", self.kind.kind), "apiVersion": self.kind.api_version(), "metadata": metadata, "items": page,
            }),
        }
    }
}
