//! A small kustomize: what overlays of one team's services need, and a plain error for everything else.
//!
//! Here: resources, namespace, labels, images, replicas and patches, in the order in which kustomize applies them.
//! Never here: generators, components, replacements, remote bases; naming one of those is an error, not a guess.
//! Start reading at [`build`]. Used by `rehearsal::argocd` to know what a commit wants.

use serde_json::Value;

use super::source::{Files, join};

mod fields;
mod file;
mod images;
mod labels;
mod patches;

use file::Kustomization;

/// What kustomize calls the three names that it looks for.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// How deep bases may be nested.
const DEEPEST: usize = 32;

/// Where Argo CD says the files are.
const SOURCE: &str = "<path to cached source>";

/// The objects that a folder describes, or kustomize's error.
pub(super) fn build(files: &Files<'_>, folder: &str) -> Result<Vec<Value>, String> {
    build_at(files, folder, 0)
}

fn build_at(files: &Files<'_>, folder: &str, depth: usize) -> Result<Vec<Value>, String> {
    if depth > DEEPEST {
        return Err(format!("accumulating resources: cycle not allowed: '{SOURCE}/{folder}' is nested too deeply"));
    }
    let found: Vec<(&str, String)> = NAMES.iter().filter_map(|name| Some((*name, files.read(&join(folder, name)?)?))).collect();
    let text = match found.as_slice() {
        [] => {
            return Err(format!(
                "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{SOURCE}/{folder}'"
            ));
        }
        [(_, text)] => text,
        _ => return Err(format!("Found multiple kustomization files under: {SOURCE}/{folder}\n")),
    };
    let wanted = Kustomization::read(text)?;
    let mut objects = Vec::new();
    for resource in &wanted.resources {
        objects.extend(accumulate(files, folder, resource, depth)?);
    }
    refuse_duplicates(&objects)?;
    for patch in &wanted.patches {
        patches::apply(&mut objects, patch, |path| join(folder, path).and_then(|it| files.read(&it)))?;
    }
    transform(&mut objects, &wanted);
    Ok(objects)
}

fn transform(objects: &mut [Value], wanted: &Kustomization) {
    for object in objects.iter_mut() {
        if let Some(namespace) = &wanted.namespace {
            fields::set_namespace(object, namespace);
        }
        for set in &wanted.labels {
            labels::apply(object, set);
        }
        fields::annotate(object, &wanted.common_annotations);
        for replicas in &wanted.replicas {
            fields::set_replicas(object, replicas);
        }
        for image in &wanted.images {
            images::apply(object, image);
        }
    }
}

/// The objects of one entry of `resources`: a file, or a folder with a kustomization of its own.
fn accumulate(files: &Files<'_>, folder: &str, resource: &str, depth: usize) -> Result<Vec<Value>, String> {
    if resource.contains("://") || resource.starts_with("github.com/") {
        return Err(format!("the rehearsal's own kustomize does not fetch remote resources: '{resource}'"));
    }
    let missing = || {
        let place = format!("{SOURCE}/{folder}/{resource}");
        let lost = format!("evalsymlink failure on '{place}' : lstat {place}: no such file or directory");
        format!(
            "accumulating resources: accumulation err='accumulating resources from '{resource}': {lost}': must build at directory: not a valid directory: {lost}"
        )
    };
    let path = join(folder, resource).ok_or_else(missing)?;
    if let Some(text) = files.read(&path) {
        return parse_objects(&text).map_err(|why| {
            format!("accumulating resources: accumulation err='accumulating resources from '{resource}': {why}': must build at directory: '{SOURCE}/{path}': file is not directory")
        });
    }
    if !files.has_folder(&path) {
        return Err(missing());
    }
    build_at(files, &path, depth + 1).map_err(|why| {
        format!("accumulating resources: accumulation err='accumulating resources from '{resource}': '{SOURCE}/{path}' must resolve to a file': recursed accumulation of path '{SOURCE}/{path}': {why}")
    })
}

/// The documents of a YAML file that are objects.
fn parse_objects(text: &str) -> Result<Vec<Value>, String> {
    use serde::Deserialize as _;
    let mut objects = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = Value::deserialize(document).map_err(|why| format!("MalformedYAMLError: yaml: {why}"))?;
        if value.is_null() {
            continue;
        }
        for field in ["kind", "apiVersion"] {
            if value[field].as_str().is_none_or(str::is_empty) {
                return Err(format!("missing Resource metadata: {field} is not set in {value}"));
            }
        }
        if value["metadata"]["name"].as_str().is_none_or(str::is_empty) {
            return Err(format!("missing metadata.name in object {value}"));
        }
        objects.push(value);
    }
    Ok(objects)
}

fn refuse_duplicates(objects: &[Value]) -> Result<(), String> {
    let id = |it: &Value| {
        (it["apiVersion"].to_string(), it["kind"].to_string(), it["metadata"]["namespace"].to_string(), it["metadata"]["name"].to_string())
    };
    let mut seen = std::collections::BTreeSet::new();
    match objects.iter().find(|it| !seen.insert(id(it))) {
        Some(twice) => {
            let name = &twice["metadata"]["name"];
            Err(format!("accumulating resources: may not add resource with an already registered id: {}.{}", twice["kind"], name))
        }
        None => Ok(()),
    }
}
