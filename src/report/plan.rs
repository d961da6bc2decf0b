//! A plan, as a person reads it before saying yes, and as programs read it.

use serde_json::{Value, json};

use crate::model::{ImageMove, Plan, Planned};

/// The plan as lines.
pub fn lines(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(tag) = &plan.tag {
        let how = match (tag.exists, tag.previous, tag.level) {
            (true, ..) => "exists already".to_owned(),
            (false, Some(previous), Some(level)) => format!("{level} after {previous}, {} commits", tag.brief.commits.len()),
            (false, Some(previous), None) => format!("after {previous}"),
            (false, None, _) => "the first version".to_owned(),
        };
        lines.push(format!("tag {} at {} ({how})", tag.name, tag.commit.short()));
        lines.extend(tag.release.as_ref().map(|it| {
            let files = it.files.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!("    {} writes {} into {files}, on top of {}", tag.commit.short(), tag.version, it.onto.short())
        }));
        lines.extend(tag.brief.commits.iter().rev().map(|it| format!("    {} {:<8} {}", it.id.short(), it.class, it.subject)));
    }
    lines.extend(plan.moves.iter().map(|it| format!("{} {}", plan.environment, image(it))));
    lines.extend(plan.gates.iter().map(|it| format!("gate {it}")));
    lines.extend(plan.warnings.iter().map(|it| format!("warning: {it}")));
    lines
}

fn image(it: &ImageMove) -> String {
    let digest = it.digest.as_ref().map_or_else(|| " (digest known after the build)".to_owned(), |it| format!("@{}", it.short()));
    if it.changes() {
        format!("{}: {} -> {}{digest}", it.component, it.from, it.tag)
    } else {
        format!("{}: {}{digest} stays", it.component, it.tag)
    }
}

/// The plan for programs.
pub fn json(planned: &Planned) -> Value {
    let plan = &planned.plan;
    json!({
        "hash": planned.hash,
        "openRun": planned.open.as_ref().map(|it| it.as_str()),
        "kind": plan.kind.to_string(),
        "environment": plan.environment.as_str(),
        "tag": plan.tag.as_ref().map(|it| json!({
            "name": it.name,
            "version": it.version.to_string(),
            "previous": it.previous.map(|it| it.to_string()),
            "level": it.level.map(|it| it.to_string()),
            "commit": it.commit.as_str(),
            "release": it.release.as_ref().map(|it| json!({
                "onto": it.onto.as_str(),
                "files": it.files.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })),
            "exists": it.exists,
            "commits": it.brief.commits.iter().map(|it| json!({ "sha": it.id.as_str(), "subject": it.subject, "class": it.class })).collect::<Vec<_>>(),
        })),
        "images": plan.moves.iter().map(|it| json!({
            "component": it.component.as_str(),
            "repository": it.repository.to_string(),
            "from": { "tag": it.from.tag, "digest": it.from.digest },
            "tag": it.tag.as_str(),
            "digest": it.digest.as_ref().map(|it| it.as_str()),
            "commit": it.commit.as_ref().map(|it| it.as_str()),
            "changes": it.changes(),
        })).collect::<Vec<_>>(),
        "gates": plan.gates,
        "warnings": plan.warnings,
    })
}
