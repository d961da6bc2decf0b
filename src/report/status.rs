//! Where the environments stand, as a table and as JSON.

use serde_json::{Value, json};

use crate::decide::survey::{ComponentStanding, Standing};
use crate::model::{ApplicationSeen, Seen, WorkloadSeen};

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
    let running: Vec<_> = it.workloads.iter().map(|(name, seen)| format!("{name} {}", workload(seen))).collect();
    [it.component.clone(), newest, it.wanted.to_string(), if running.is_empty() { "?".to_owned() } else { running.join(", ") }]
}

fn workload(seen: &Seen<Option<WorkloadSeen>>) -> String {
    match seen {
        Seen::Known(Some(it)) => {
            let tag = it.images.first().map_or("?", |image| image.split('@').next().unwrap_or(image).rsplit(':').next().unwrap_or(image));
            let old = (it.replicas - it.updated).max(0);
            let still = if old > 0 { format!(" ({old} old still there)") } else { String::new() };
            format!("{tag} {}/{}{still}", new_and_available(it), it.desired.unwrap_or(1))
        }
        Seen::Known(None) => "(absent)".to_owned(),
        Seen::Unknown(why) => format!("? ({why})"),
    }
}

/// How many replicas of the new template are surely available: Kubernetes counts old and new ones together.
fn new_and_available(it: &WorkloadSeen) -> i32 {
    let old = (it.replicas - it.updated).max(0);
    if it.observed_generation < it.generation { 0 } else { (it.available - old).clamp(0, it.updated.max(0)) }
}

fn application(seen: &Seen<ApplicationSeen>) -> String {
    match seen {
        Seen::Known(it) => {
            let word = |it: &Option<String>| it.clone().unwrap_or_else(|| "?".to_owned());
            let revision = it.revision.as_deref().map_or("?", |it| it.get(..7).unwrap_or(it));
            format!("{}, {} at {revision}", word(&it.sync), word(&it.health))
        }
        Seen::Unknown(why) => format!("? ({why})"),
    }
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
            "workloads": it.workloads.iter().map(|(name, seen)| json!({
                "name": name,
                "images": seen.known().and_then(|it| it.as_ref()).map(|it| &it.images),
                "available": seen.known().and_then(|it| it.as_ref()).map(new_and_available),
                "desired": seen.known().and_then(|it| it.as_ref()).and_then(|it| it.desired),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "applications": it.applications.iter().map(|(name, seen)| json!({
            "name": name,
            "sync": seen.known().and_then(|it| it.sync.as_ref()),
            "health": seen.known().and_then(|it| it.health.as_ref()),
            "revision": seen.known().and_then(|it| it.revision.as_ref()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_replicas_are_not_counted_as_the_new_template() {
        let image = vec!["eu.pkg.dev/p/r/backend:v2".to_owned()];
        let seen = |replicas, updated, available| {
            let it = WorkloadSeen { desired: Some(2), replicas, updated, available, images: image.clone(), ..WorkloadSeen::default() };
            workload(&Seen::Known(Some(it)))
        };
        assert_eq!(seen(3, 1, 2), "v2 0/2 (2 old still there)");
        assert_eq!(seen(3, 2, 2), "v2 1/2 (1 old still there)");
        assert_eq!(seen(2, 2, 2), "v2 2/2");
        assert_eq!(seen(2, 2, 1), "v2 1/2");
    }
}
