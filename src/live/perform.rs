//! What the hands need: the right store, the ledger's tip, the lease of a client.

use super::{Live, blocking};
use crate::act::{self, Provenance, page};
use crate::error::{Error, Result};
use crate::io::credentials;
use crate::model::{Ask, Asked, GitHub, Performed, RunId, Work};
use crate::observe::argo;
use crate::record::hex;

/// Does one piece of work.
pub(super) async fn perform(live: &mut Live, work: &Work) -> Result<Performed> {
    let person = live.person();
    let Some(tip) = live.tip.clone() else { return Err(Error::bug("A write was to be done that no record announced.")) };
    let payload = hex(&tip.payload);
    match work.clone() {
        Work::CommitFile { step, onto, file, text } => {
            let (store, branch) = (live.config.clone(), live.pipeline.config.branch.clone());
            blocking(move || {
                let provenance = provenance(&step.run, tip.seq, &payload);
                act::overlay::commit(&store, &branch, (&onto, &file, &text), &step, &person, &provenance)
            })
            .await
        }
        Work::CreateTag { step, files } => {
            let store = live.app.clone();
            blocking(move || act::tag::cut(&store, &step, files, &person, &provenance(&step.run, tip.seq, &payload))).await
        }
        Work::AdvanceBranch(step) => {
            let (store, branch) = (live.app.clone(), live.pipeline.app.branch.clone());
            blocking(move || act::release::advance(&store, &branch, &step)).await
        }
        Work::CreatePage(it) => {
            let github = github(live)?;
            let client = page::client(github, &credentials::resolve(&github.token)?)?;
            page::publish(&client, github, &it).await
        }
    }
}

fn provenance<'a>(run: &'a RunId, seq: u64, payload: &'a str) -> Provenance<'a> {
    Provenance { run, seq, payload }
}

/// The forge of the app repository.
pub(super) fn github(live: &Live) -> Result<&GitHub> {
    live.pipeline.app.github.as_ref().ok_or_else(|| Error::bug("A release page was wanted, but the pipeline names no GitHub repository."))
}

/// Asks the outside for something.
pub(super) async fn ask(live: &mut Live, ask: &Ask) -> Result<Asked> {
    argo::ask(live.clients.cluster().await?, ask).await
}
