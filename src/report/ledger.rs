//! The ledger as people and programs read it.

use serde_json::{Value, json};

use super::Out;
use crate::model::{Event, ImageMove, Outcome, Plan, RunId, Step};
use crate::record::{Entry, Finding, Log, Record, Report, Signed, hex};

/// Findings shown before the rest is only counted; `--output json` has all of them.
const SHOWN: usize = 30;

/// `ledger log`.
pub fn log(log: &Log, out: &Out) {
    if let Some(lost) = &log.lost {
        out.note(format!("Record {} was seen here before, and the branch ends before it. Run `tomoda-release ledger verify`.", lost.seq));
    }
    for entry in &log.entries {
        out.painted(&told(entry, Detail::Brief, out.colour()));
    }
    if log.entries.is_empty() {
        out.text("The ledger has no records yet.");
    }
    let lost = log.lost.map(|it| json!({ "seq": it.seq, "payload": hex(&it.payload) }));
    out.json(&json!({ "records": log.entries.iter().map(summary).collect::<Vec<_>>(), "lost": lost }));
}

/// `ledger show`.
pub fn show(entry: &Entry, out: &Out) {
    out.painted(&told(entry, Detail::Whole, out.colour()));
    if let Some(statement) = &entry.statement {
        out.text(format!("\n{statement:#}"));
    }
    let mut value = summary(entry);
    value["statement"] = entry.statement.clone().unwrap_or(Value::Null);
    out.json(&value);
}

/// `ledger verify`.
pub fn verified(report: &Report, out: &Out) {
    for finding in report.findings.iter().take(SHOWN) {
        out.painted(&format!("{}  {}  {}", paint(out.colour(), "31", &place(finding)), finding.kind, plain(&finding.what)));
    }
    if report.findings.len() > SHOWN {
        out.text(format!("… and {} more; --output json lists them all.", report.findings.len() - SHOWN));
    }
    let head = report.head.as_ref().map(|it| format!(" Last: {} at commit {}.", it.head, it.commit.short())).unwrap_or_default();
    let verdict = match report.ok() {
        true => paint(out.colour(), "32", "The ledger is whole"),
        false => paint(out.colour(), "31", &format!("The ledger did not pass, {}", count(report.findings.len(), "finding"))),
    };
    out.painted(&format!("{verdict}: {} checked.{head}", count(usize::try_from(report.records).unwrap_or(usize::MAX), "record")));
    out.json(&json!({
        "ok": report.ok(),
        "records": report.records,
        "ledger": report.ledger.map(|it| it.to_string()),
        "head": report.head.as_ref().map(|it| json!({ "seq": it.head.seq, "payload": hex(&it.head.payload), "commit": it.commit.as_str() })),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    }));
}

/// “1 record”, “2 records”.
pub fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn place(finding: &Finding) -> String {
    let seq = finding.seq.map(|it| format!("#{it}")).unwrap_or_else(|| "ledger".to_owned());
    let commit = finding.commit.as_ref().map(|it| format!(" {}", it.short())).unwrap_or_default();
    format!("{seq}{commit}")
}

fn finding(it: &Finding) -> Value {
    json!({ "seq": it.seq, "commit": it.commit.as_ref().map(|it| it.as_str()), "kind": it.kind.to_string(), "what": it.what })
}

/// How much of a record is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// What a person compares: images by tag, hashes by their beginning, signers by name.
    Brief,
    /// All of it.
    Whole,
}

/// One record in a few lines: when, which run, who; then what happened.
fn told(entry: &Entry, detail: Detail, colour: bool) -> String {
    let mut lines = Vec::new();
    match &entry.record {
        Some(it) => {
            let head = paint(colour, "33", &format!("#{}", it.seq));
            let run = run(it).map(|it| format!("  {it}")).unwrap_or_default();
            let who = dim(colour, &plain(&who(entry, it, detail)));
            lines.push(format!("{head}  {}{run}  {who}", it.at.strftime("%Y-%m-%d %H:%M:%S UTC")));
            lines.extend(it.events.iter().map(|event| format!("    {}", plain(&sentence(event, it, detail)))));
            if let Some(clock) = it.clock {
                lines.push(format!("    The writer's clock was behind: it said {}.", clock.strftime("%Y-%m-%d %H:%M:%S UTC")));
            }
        }
        None => lines.push(format!("{}  {}", paint(colour, "31", "unreadable record"), entry.commit.short())),
    }
    lines.extend(entry.findings.iter().map(|it| format!("    {} {}", paint(colour, "31", &format!("{}:", it.kind)), plain(&it.what))));
    lines.join("\n")
}

/// Who asked for it and whose key stands for it; in full also what carried it out, and in which commit it stands.
fn who(entry: &Entry, record: &Record, detail: Detail) -> String {
    let signers = entry.signed.iter().map(|it| match (it, detail) {
        (Signed::By { principal, .. }, Detail::Brief) => format!("signed by {principal}"),
        _ => verdict(it),
    });
    let signers = signers.collect::<Vec<_>>().join(", ");
    match detail {
        Detail::Brief => format!("{}, {signers}", record.actor.initiator),
        Detail::Whole => format!("{}, {signers}; by {}; commit {}", record.actor.initiator, record.actor.executor, entry.commit),
    }
}

fn summary(entry: &Entry) -> Value {
    let record = entry.record.as_ref();
    let signatures = entry.signed.iter().map(|it| {
        let principal = match it {
            Signed::By { principal, .. } => Some(principal),
            _ => None,
        };
        json!({ "trusted": principal.is_some(), "principal": principal, "key": it.fingerprint(), "verdict": verdict(it) })
    });
    json!({
        "seq": record.map(|it| it.seq),
        "commit": entry.commit.as_str(),
        "payload": entry.payload.map(|it| hex(&it)),
        "time": record.map(|it| format!("{:.3}", it.at)),
        "initiator": record.map(|it| &it.actor.initiator),
        "executor": record.map(|it| &it.actor.executor),
        "run": record.and_then(run),
        "events": record.map(|it| it.events.iter().map(|event| json!({ "kind": event.kind(), "text": sentence(event, it, Detail::Whole) })).collect::<Vec<_>>()),
        "signatures": signatures.collect::<Vec<_>>(),
        "findings": entry.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn run(record: &Record) -> Option<&str> {
    record.events.iter().find_map(Event::run).map(|it| it.as_str())
}

/// The verdict on a signature, in words.
fn verdict(it: &Signed) -> String {
    match it {
        Signed::By { principal, fingerprint } => format!("signed by {principal} ({fingerprint})"),
        Signed::Altered { principal, .. } => format!("altered after {principal} signed it"),
        Signed::Untrusted { fingerprint, .. } => format!("signed by a key that is not trusted ({fingerprint})"),
        Signed::OtherPurpose { namespace, .. } => format!("signed for another purpose ({namespace})"),
        Signed::Unreadable => "with a signature that is none".to_owned(),
    }
}

/// One event as a sentence; whose run it is stands above it.
fn sentence(event: &Event, record: &Record, detail: Detail) -> String {
    match event {
        Event::Genesis => format!("The ledger of the pipeline {} begins.", record.pipeline),
        Event::Opened { plan, first, .. } => {
            let first = first.as_ref().map(|it| format!(" First: {}.", first_step(it))).unwrap_or_default();
            format!("{} opened.{first}", planned(plan))
        }
        Event::Intended { step: it, .. } => format!("about to {}.", step(it)),
        Event::Did { run, outcome: Outcome::Landed { object, reference, adopted } } => {
            let object = object.as_ref().map(|it| format!(" as {}", it.short())).unwrap_or_default();
            format!("{}{}{object} ({reference}).", done(run, record), if *adopted { "found done already" } else { "done" })
        }
        Event::Did { run, outcome: Outcome::Refused { why } } => format!("{}refused: {why}", done(run, record)),
        Event::Built { builds, .. } => {
            let builds: Vec<String> = builds.iter().map(|it| format!("{} {}", it.component, it.digest.short())).collect();
            format!("built {}.", builds.join(", "))
        }
        Event::Passed { gate, evidence, .. } => {
            let fact = |name: &str, value: &str| match detail {
                Detail::Brief => format!("{name} {}", super::progress::brief(value)),
                Detail::Whole => format!("{name} {value}"),
            };
            let facts: Vec<String> = evidence.facts.iter().map(|(name, value)| fact(name, value)).collect();
            let facts = if facts.is_empty() { String::new() } else { format!(": {}", facts.join(", ")) };
            format!("gate {gate} passed{facts}.")
        }
        Event::Completed { proved, .. } => {
            let images: Vec<String> = proved.images.iter().map(|it| format!("{} {}", it.component, it.tag)).collect();
            let version = proved.version.map(|it| format!("{it}: ")).unwrap_or_default();
            format!("completed; proved {version}{} at {}.", images.join(", "), proved.commit.short())
        }
        Event::Failed { why, .. } => format!("failed: {why}"),
        Event::Superseded { by, .. } => format!("overtaken by {by}."),
    }
}

/// Which step an outcome is of: the last one that is done in the state the record leaves.
fn done(run: &RunId, record: &Record) -> String {
    let run = record.state.open.values().find(|it| it.id == *run);
    run.and_then(|it| it.done.last()).map(|it| format!("{}: ", it.step.key())).unwrap_or_default()
}

fn planned(plan: &Plan) -> String {
    let tag = plan.tag.as_ref().map(|it| format!(" to {}", it.name)).unwrap_or_default();
    format!("{} of {}{tag} ({})", plan.kind, plan.environment, moves(&plan.moves))
}

fn moves(moves: &[ImageMove]) -> String {
    let each: Vec<String> = moves.iter().map(image_move).collect();
    if each.is_empty() { "nothing moves".to_owned() } else { each.join(", ") }
}

/// From tag to tag; where the tag stays, what it is pinned to.
fn image_move(it: &ImageMove) -> String {
    match &it.digest {
        Some(digest) if it.from.tag.as_deref() == Some(it.tag.as_str()) && it.changes() => {
            format!("{} {} pinned to {}", it.component, it.tag, digest.short())
        }
        _ if !it.changes() => format!("{} {} stays", it.component, it.tag),
        _ => format!("{} {} → {}", it.component, it.from, it.tag),
    }
}

fn step(step: &Step) -> String {
    match step {
        Step::WriteOverlay(it) => format!("write {} ({})", it.overlay, moves(&it.moves)),
        Step::CutTag(it) => format!("cut the tag {} at {}", it.name, it.commit.short()),
        Step::AdvanceBranch(it) => format!("advance the app branch from {} to the release commit {}", it.onto.short(), it.commit.short()),
        Step::PublishPage(it) => format!("publish the page of {}", it.tag),
    }
}

/// The step that is announced together with its plan, whose moves stand beside it.
fn first_step(first: &Step) -> String {
    match first {
        Step::WriteOverlay(it) => format!("write {}", it.overlay),
        other => step(other),
    }
}

/// What others wrote, on one line and harmless.
fn plain(text: &str) -> String {
    super::harmless(&text.replace(['\n', '\t'], " ")).into_owned()
}

fn paint(colour: bool, code: &str, text: &str) -> String {
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn dim(colour: bool, text: &str) -> String {
    paint(colour, "2", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_paint_or_move_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{202e}"), "a\u{fffd}[2Jb c\u{fffd}");
    }
}
