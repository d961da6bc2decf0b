//! `verify`: runs an environment's gates now; writes nothing.

use std::sync::Arc;

use serde_json::json;

use super::{Global, journey};
use crate::drive;
use crate::error::Result;
use crate::model::News;
use crate::report::{Out, Progress};

/// Arguments.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The environment.
    environment: String,
    #[command(flatten)]
    reach: journey::Reach,
}

pub(super) fn run(args: Args, global: &Global, out: &Out) -> Result<()> {
    let pipeline = journey::pipeline(global)?;
    let environment = journey::known(&pipeline, &args.environment)?;
    let name = &environment.name;
    let progress = Arc::new(Progress::new());
    let mut live = journey::live(&pipeline, &args.reach, false, progress.clone())?;
    progress.wait("looking at the gates");
    let verified = journey::block_on(async { drive::verify(&mut live, &pipeline, environment).await });
    if let Ok(gates) = &verified {
        for (gate, evidence) in gates {
            progress.tell(&News::Passed { gate: gate.clone(), evidence: evidence.clone() });
        }
    }
    progress.finish();
    let gates = verified?;
    out.text(format!("{name}: all {} gates are ready.", gates.len()));
    let gates = gates.iter().map(|(gate, evidence)| json!({ "gate": gate, "evidence": facts(evidence) }));
    out.json(&json!({ "environment": name.as_str(), "ready": true, "gates": gates.collect::<Vec<_>>() }));
    Ok(())
}

fn facts(evidence: &crate::model::Evidence) -> serde_json::Map<String, serde_json::Value> {
    evidence.facts.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
}
