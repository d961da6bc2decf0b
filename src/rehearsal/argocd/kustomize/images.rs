//! The image transformer.

use serde_json::{Value, json};

use super::file::ImageChange;

/// Changes the image of every container, wherever the object has containers.
pub(super) fn apply(object: &mut Value, change: &ImageChange) {
    match object {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if matches!(name.as_str(), "containers" | "initContainers" | "ephemeralContainers") {
                    value.as_array_mut().into_iter().flatten().for_each(|it| set(it, change));
                }
                apply(value, change);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|it| apply(it, change)),
        _ => {}
    }
}

fn set(container: &mut Value, change: &ImageChange) {
    let Some(image) = container["image"].as_str() else { return };
    let (name, tag, digest) = split(image);
    if name != change.name {
        return;
    }
    let name = if change.new_name.is_empty() { name } else { &change.new_name };
    let suffixed = format!("{tag}{}", change.tag_suffix);
    let (tag, digest) = match (change.new_tag.as_str(), change.digest.as_str()) {
        ("", "") if !change.tag_suffix.is_empty() => (suffixed.as_str(), ""),
        ("", "") => (tag, digest),
        wanted => wanted,
    };
    let mut result = name.to_owned();
    for (mark, part) in [(':', tag), ('@', digest)] {
        if !part.is_empty() {
            result.push(mark);
            result.push_str(part);
        }
    }
    container["image"] = json!(result);
}

/// Name, tag and digest; the latter two may be empty.
fn split(image: &str) -> (&str, &str, &str) {
    let (rest, digest) = image.split_once('@').unwrap_or((image, ""));
    match rest.rfind(':').filter(|at| !rest[*at..].contains('/')) {
        Some(at) => (&rest[..at], &rest[at + 1..], digest),
        None => (rest, "", digest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_tag_and_digest() {
        let change = |new_name: &str, new_tag: &str, digest: &str| ImageChange {
            name: "h:5000/a".into(),
            new_name: new_name.into(),
            new_tag: new_tag.into(),
            digest: digest.into(),
            tag_suffix: String::new(),
        };
        for (image, change, wanted) in [
            ("h:5000/a:1", change("", "2", ""), "h:5000/a:2"),
            ("h:5000/a:1@sha256:x", change("b", "", ""), "b:1@sha256:x"),
            ("h:5000/a:1", change("", "2", "sha256:y"), "h:5000/a:2@sha256:y"),
            ("h:5000/a:1", change("", "", "sha256:y"), "h:5000/a@sha256:y"),
            ("h:5000/ab:1", change("", "2", ""), "h:5000/ab:1"),
        ] {
            let mut object = json!({ "spec": { "containers": [{ "image": image }] } });
            apply(&mut object, &change);
            assert_eq!(object["spec"]["containers"][0]["image"], wanted);
        }
    }
}
