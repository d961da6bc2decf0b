//! How a command ended, for people and for programs.

use serde_json::{Value, json};

use super::plan;
use crate::model::{Ending, EnvName, Proved};

/// The ending as a few lines.
pub fn text(environment: &EnvName, ending: &Ending) -> String {
    match ending {
        Ending::Completed(proved) => {
            let images: Vec<_> = proved.images.iter().map(|it| format!("{} {}", it.component, it.tag)).collect();
            let version = proved.version.map_or(String::new(), |it| format!(" version {it}:"));
            format!("{environment} is proved:{version} {}, at {}.", images.join(", "), proved.commit.short())
        }
        Ending::Nothing(why) => format!("Nothing to do: {why}"),
        Ending::Superseded { run, by } => format!("{run} was superseded: {by}"),
        Ending::Planned(planned) => {
            let open =
                planned.open.as_ref().map_or(String::new(), |it| format!("The run {it} is open; `promote` or `bump` goes on with it.\n"));
            format!("{open}{}\nplan {}", plan::lines(&planned.plan).join("\n"), planned.hash)
        }
    }
}

/// The ending for programs.
pub fn json(environment: &EnvName, ending: &Ending, ledger: Option<(u64, String)>) -> Value {
    let ledger = ledger.map(|(seq, payload)| json!({ "seq": seq, "payload": format!("sha256:{payload}") }));
    match ending {
        Ending::Completed(proved) => completed(environment, proved, ledger),
        Ending::Nothing(why) => json!({ "outcome": "nothing", "environment": environment.as_str(), "reason": why, "ledger": ledger }),
        Ending::Superseded { run, by } => {
            json!({ "outcome": "superseded", "environment": environment.as_str(), "run": run.as_str(), "reason": by, "ledger": ledger })
        }
        Ending::Planned(planned) => plan::json(planned),
    }
}

fn completed(environment: &EnvName, proved: &Proved, ledger: Option<Value>) -> Value {
    json!({
        "outcome": "completed",
        "environment": environment.as_str(),
        "run": proved.run.as_str(),
        "version": proved.version.map(|it| it.to_string()),
        "commit": proved.commit.as_str(),
        "images": proved.images.iter().map(|it| json!({
            "component": it.component.as_str(),
            "repository": it.repository.to_string(),
            "tag": it.tag.as_str(),
            "digest": it.digest.as_str(),
            "commit": it.commit.as_ref().map(|it| it.as_str()),
        })).collect::<Vec<_>>(),
        "ledger": ledger,
    })
}
