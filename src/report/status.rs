//! Where the environments stand, as a table and as JSON.

use serde_json::{Value, json};

use crate::decide::survey::{ComponentStanding, Standing};
use crate::model::{ApplicationSeen, ImageRef, OperationSeen, Repository, Seen, WorkloadSeen};

/// The environments as text: one block each, one line for each component.
pub fn text(standings: &[Standing]) -> String {
    standings.iter().map(environment).collect::<Vec<_>>().join("\n\n")
}

fn environment(it: &Standing) -> String {
    let mut lines = vec![it.environment.clone()];
    let rows: Vec<_> = it.components.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (a, b, c) = (width(0), width(1), width(2));
    lines.extend(
        rows.iter()
            .map(|[name, newest, wanted, running]| format!("  {name:<a$}  newest {newest:<b$}  wanted {wanted:<c$}  running {running}")),
    );
    lines.extend(it.applications.iter().map(|(name, seen)| format!("  argocd {name}: {}", application(seen))));
    match &it.proved {
        Some(proved) => {
            let version = proved.version.map_or(String::new(), |it| format!("version {it}, "));
            lines.push(format!("  proved: {version}{} at {}", proved.commit.short(), proved.at));
        }
        None => lines.push("  proved: nothing yet".to_owned()),
    }
    lines.extend(it.drift.iter().map(|it| format!("  drift: {it}")));
    if let Some(run) = &it.open {
        lines.push(format!("  open: {} since {} by {}", run.id, run.opened, run.by));
    }
    lines.extend(it.hold.iter().map(|it| format!("  on hold: {it}")));
    lines.extend(it.unknown.iter().map(|it| format!("  unknown: {it}")));
    lines.join("\n")
}

fn row(it: &ComponentStanding) -> [String; 4] {
    let newest = match &it.newest {
        Some(Ok(tag)) => tag.clone(),
        Some(Err(why)) => format!("? ({why})"),
        None => "-".to_owned(),
    };
    let running: Vec<_> = it.workloads.iter().map(|(name, seen)| format!("{name} {}", workload(&it.repository, seen))).collect();
    [it.component.clone(), newest, it.wanted.to_string(), if running.is_empty() { "?".to_owned() } else { running.join(", ") }]
}

fn workload(repository: &Repository, seen: &Seen<Option<WorkloadSeen>>) -> String {
    match seen {
        Seen::Known(Some(it)) => {
            let still = if old(it) > 0 { format!(" ({} old still there)", old(it)) } else { String::new() };
            let paused = if it.paused { " (paused)" } else { "" };
            format!("{} {}/{}{still}{paused}", running(repository, &it.images), new_and_available(it), desired(it))
        }
        Seen::Known(None) => "(absent)".to_owned(),
        Seen::Unknown(why) => format!("? ({why})"),
    }
}

/// What a workload runs of a component's image: its tag, or its digest where it has none. Other images are named in full only
/// where the component's is not among them: next to it they are sidecars.
fn running(repository: &Repository, images: &[String]) -> String {
    let parsed = images.iter().filter_map(|it| ImageRef::parse(it).ok()).filter(|it| it.repository == *repository);
    let mut ours: Vec<String> = parsed
        .map(|it| match (&it.tag, &it.digest) {
            (Some(tag), _) => tag.to_string(),
            (None, Some(digest)) => digest.short().to_owned(),
            (None, None) => "untagged".to_owned(),
        })
        .collect();
    ours.dedup();
    match (ours.is_empty(), images.is_empty()) {
        (false, _) => ours.join("+"),
        (true, false) => format!("another image, {},", images.join(" and ")),
        (true, true) => "no image".to_owned(),
    }
}

/// How many replicas there should be: one unless it says otherwise.
fn desired(it: &WorkloadSeen) -> i32 {
    it.desired.unwrap_or(1)
}

/// How many replicas are not of the new template.
fn old(it: &WorkloadSeen) -> i32 {
    (it.replicas - it.updated).max(0)
}

/// How many replicas of the new template are surely available: Kubernetes counts old and new ones together.
fn new_and_available(it: &WorkloadSeen) -> i32 {
    if it.observed_generation < it.generation { 0 } else { (it.available - old(it)).clamp(0, it.updated.max(0)) }
}

fn application(seen: &Seen<ApplicationSeen>) -> String {
    match seen {
        Seen::Known(it) => {
            let word = |it: &Option<String>| it.clone().unwrap_or_else(|| "?".to_owned());
            let revision = it.revision.as_deref().map_or("?", |it| it.get(..7).unwrap_or(it));
            let errors: String = it.errors().map(|it| format!("; {}: {}", it.kind, one_line(&it.message))).collect();
            let operation = it.operation.as_ref().filter(|it| it.phase != "Succeeded").map(operation).unwrap_or_default();
            format!("{}, {} at {revision}{operation}{errors}", word(&it.sync), word(&it.health))
        }
        Seen::Unknown(why) => format!("? ({why})"),
    }
}

/// An operation that has not succeeded, or not yet.
fn operation(it: &OperationSeen) -> String {
    let revision = it.revision.as_deref().map_or("?", |it| it.get(..7).unwrap_or(it));
    format!("; operation at {revision} {}: {}", it.phase, one_line(&it.message))
}

/// Somebody else's message on one line of bearable length.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

/// The environments for programs.
pub fn json(standings: &[Standing]) -> Value {
    json!({ "environments": standings.iter().map(one).collect::<Vec<_>>() })
}

fn one(it: &Standing) -> Value {
    json!({
        "name": it.environment,
        "components": it.components.iter().map(|it| json!({
            "name": it.component,
            "newest": it.newest.as_ref().and_then(|it| it.as_ref().ok()),
            "why": it.newest.as_ref().and_then(|it| it.as_ref().err()),
            "wanted": { "tag": it.wanted.tag, "digest": it.wanted.digest },
            "workloads": it.workloads.iter().map(|(name, seen)| workload_json(name, seen)).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "applications": it.applications.iter().map(|(name, seen)| json!({
            "name": name,
            "sync": seen.known().and_then(|it| it.sync.as_ref()),
            "health": seen.known().and_then(|it| it.health.as_ref()),
            "revision": seen.known().and_then(|it| it.revision.as_ref()),
            "errors": seen.known().map(|it| it.errors().map(|it| json!({ "type": it.kind, "message": it.message })).collect::<Vec<_>>()),
            "operation": seen.known().and_then(|it| it.operation.as_ref()).map(|it| json!({
                "phase": it.phase,
                "revision": it.revision,
                "message": it.message,
                "retries": it.retries,
            })),
            "unknown": unknown(seen),
        })).collect::<Vec<_>>(),
        "proved": it.proved.as_ref().map(|it| json!({
            "run": it.run.as_str(),
            "at": it.at.to_string(),
            "commit": it.commit.as_str(),
            "version": it.version.map(|it| it.to_string()),
        })),
        "drift": it.drift,
        "open": it.open.as_ref().map(|it| json!({ "run": it.id.as_str(), "since": it.opened.to_string(), "by": it.by })),
        "hold": it.hold,
        "unknown": it.unknown,
    })
}

fn workload_json(name: &str, seen: &Seen<Option<WorkloadSeen>>) -> Value {
    let known = seen.known().and_then(|it| it.as_ref());
    json!({
        "name": name,
        "images": known.map(|it| &it.images),
        "available": known.map(new_and_available),
        "old": known.map(old),
        "desired": known.map(desired),
        "paused": known.map(|it| it.paused),
        "absent": seen.known().map(Option::is_none),
        "unknown": unknown(seen),
    })
}

/// Why something could not be seen.
fn unknown<T>(seen: &Seen<T>) -> Option<String> {
    seen.as_result().err().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Unseen;

    fn backend() -> Repository {
        Repository::parse("eu.pkg.dev/p/r/backend").unwrap()
    }

    fn seen(images: &[&str]) -> Seen<Option<WorkloadSeen>> {
        let images = images.iter().map(|it| (*it).to_owned()).collect();
        Seen::Known(Some(WorkloadSeen { replicas: 1, updated: 1, available: 1, images, ..WorkloadSeen::default() }))
    }

    #[test]
    fn a_sidecar_is_not_what_a_component_runs() {
        let told = |images: &[&str]| workload(&backend(), &seen(images));
        assert_eq!(told(&["docker.io/istio/proxyv2:1.22.0", "eu.pkg.dev/p/r/backend:v2"]), "v2 1/1");
        assert_eq!(told(&["eu.pkg.dev/p/r/backend:v1", "proxy:1", "eu.pkg.dev/p/r/backend:v2"]), "v1+v2 1/1");
        assert_eq!(told(&[&format!("eu.pkg.dev/p/r/backend@sha256:{}", "a".repeat(64))]), "sha256:aaaaaaaaaaaa 1/1");
        assert_eq!(told(&["nginx:1"]), "another image, nginx:1, 1/1");
    }

    #[test]
    fn programs_read_the_same_truth_as_people() {
        let unseen = Seen::Unknown(Unseen::lasting("403."));
        let of = |seen: &Seen<Option<WorkloadSeen>>| {
            let it = workload_json("api", seen);
            (it["absent"].clone(), it["unknown"].clone(), it["desired"].clone())
        };
        assert_eq!((workload(&backend(), &unseen), of(&unseen)), ("? (403.)".to_owned(), (Value::Null, json!("403."), Value::Null)));
        let absent = Seen::Known(None);
        assert_eq!((workload(&backend(), &absent), of(&absent)), ("(absent)".to_owned(), (json!(true), Value::Null, Value::Null)));
        assert_eq!(of(&seen(&["nginx:1"])), (json!(false), Value::Null, json!(1)), "one replica where it does not say");
    }

    #[test]
    fn old_replicas_are_not_counted_as_the_new_template() {
        let image = vec!["eu.pkg.dev/p/r/backend:v2".to_owned()];
        let seen = |replicas, updated, available| {
            let it = WorkloadSeen { desired: Some(2), replicas, updated, available, images: image.clone(), ..WorkloadSeen::default() };
            workload(&backend(), &Seen::Known(Some(it)))
        };
        assert_eq!(seen(3, 1, 2), "v2 0/2 (2 old still there)");
        assert_eq!(seen(3, 2, 2), "v2 1/2 (1 old still there)");
        assert_eq!(seen(2, 2, 2), "v2 2/2");
        assert_eq!(seen(2, 2, 1), "v2 1/2");
    }
}
