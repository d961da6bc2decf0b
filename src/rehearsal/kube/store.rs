//! The objects, their versions, and what changed: what etcd is to a real cluster.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

/// How many changes are remembered for watches; older ones are answered with 410 Gone.
const REMEMBERED: usize = 10_000;

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its API group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty when it lives in none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// A key of its parts.
    pub fn new(group: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self { group: group.to_owned(), kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The key of an object as it describes itself.
    pub fn of(object: &Value) -> Self {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
        Self::new(group, text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
    }
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// The resource version it made.
    pub version: u64,
    /// Which object.
    pub key: Key,
    /// What it was; nothing before its creation.
    pub before: Option<Arc<Value>>,
    /// What it is; nothing after its deletion, for which `last` has the final words.
    pub after: Option<Arc<Value>>,
}

/// The objects of the cluster.
#[derive(Debug)]
pub struct Store {
    objects: BTreeMap<Key, Arc<Value>>,
    changes: VecDeque<Change>,
    version: u64,
    tell: watch::Sender<u64>,
}

impl Default for Store {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), changes: VecDeque::new(), version: 1000, tell: watch::Sender::new(1000) }
    }
}

impl Store {
    /// One object.
    pub fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// All objects of a kind, of one namespace or of all, in order of namespace and name.
    pub fn list<'s>(&'s self, group: &str, kind: &str, namespace: Option<&str>) -> impl Iterator<Item = (&'s Key, &'s Arc<Value>)> {
        let from = Key::new(group, kind, namespace.unwrap_or_default(), "");
        let (group, kind, namespace) = (group.to_owned(), kind.to_owned(), namespace.map(str::to_owned));
        self.objects
            .range(from..)
            .take_while(move |(key, _)| key.group == group && key.kind == kind && namespace.as_ref().is_none_or(|it| *it == key.namespace))
    }

    /// Every object.
    pub fn all(&self) -> &BTreeMap<Key, Arc<Value>> {
        &self.objects
    }

    /// The version of the latest change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Hears of every change.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.tell.subscribe()
    }

    /// The changes after this version; the oldest version that can be asked for, when they are forgotten.
    pub fn since(&self, version: u64) -> Result<impl Iterator<Item = &Change>, u64> {
        let oldest = self.changes.front().map_or(self.version, |it| it.version - 1);
        if version < oldest { Err(oldest) } else { Ok(self.changes.iter().filter(move |it| it.version > version)) }
    }

    /// Creates an object, filling in what the server fills in. An existing one is left alone.
    pub fn create(&mut self, mut object: Value, now: Timestamp) -> Key {
        let key = Key::of(&object);
        if self.objects.contains_key(&key) {
            return key;
        }
        let version = self.version + 1;
        let metadata = &mut object["metadata"];
        metadata["uid"] = json!(uid(&key, version));
        metadata["creationTimestamp"] = json!(whole_seconds(now));
        metadata["generation"] = json!(1);
        self.put(key.clone(), None, object);
        key
    }

    /// Changes an object. Nothing changed means nothing written. Says whether there was a write.
    pub fn update(&mut self, key: &Key, edit: impl FnOnce(&mut Value)) -> bool {
        let Some(before) = self.objects.get(key).cloned() else { return false };
        let mut after = Value::clone(&before);
        edit(&mut after);
        if after == *before {
            return false;
        }
        if counted(&key.kind, &before) != counted(&key.kind, &after) {
            after["metadata"]["generation"] = json!(before["metadata"]["generation"].as_u64().unwrap_or(0) + 1);
        }
        self.put(key.clone(), Some(before), after);
        true
    }

    /// Deletes an object.
    pub fn delete(&mut self, key: &Key) {
        if let Some(before) = self.objects.remove(key) {
            self.note(Change { version: self.version + 1, key: key.clone(), before: Some(before), after: None });
        }
    }

    fn put(&mut self, key: Key, before: Option<Arc<Value>>, mut object: Value) {
        let version = self.version + 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let after = Arc::new(object);
        self.objects.insert(key.clone(), after.clone());
        self.note(Change { version, key, before, after: Some(after) });
    }

    fn note(&mut self, change: Change) {
        self.version = change.version;
        self.changes.push_back(change);
        if self.changes.len() > REMEMBERED {
            self.changes.pop_front();
        }
        self.tell.send_replace(self.version);
    }
}

/// What the generation counts. The Application has no status subresource, so its status counts too.
fn counted(kind: &str, object: &Value) -> Value {
    if kind != "Application" {
        return object["spec"].clone();
    }
    let mut rest = object.clone();
    if let Some(fields) = rest.as_object_mut() {
        fields.shift_remove("metadata");
    }
    rest
}

/// RFC 3339 without a fraction: how Kubernetes writes times.
pub fn whole_seconds(at: Timestamp) -> String {
    format!("{}", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

fn uid(key: &Key, version: u64) -> String {
    use sha2::{Digest as _, Sha256};
    let sum = Sha256::digest(format!("{key:?}{version}"));
    let hex: String = sum.iter().take(16).map(|it| format!("{it:02x}")).collect();
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
