//! Takes a change from a new image tag in the dev registry to healthy production, in one audited flow.
//!
//! ```text
//!  pipelines/*.yaml ──config::load──▶ Pipeline
//!                                       ▼                        (pure: no I/O)
//!  the world ──observe::look──▶ Sighting ──decide::next──▶ Decision ──▶ Act(step) | Verify(gate) | Wait | Stop
//!                                  ▲                └──verify::judge──▶ Verdict
//!  ledger ──tip──▶ State ──────────┘                                     │
//!     ▲                                                                  │
//!     └──────────── record::append ◀── Outcome ◀── act::perform ◀────────┘
//! ```
//!
//! Reading order: [`model`] (the nouns), [`drive`] (the loop: the only file that knows the order), [`decide`] and
//! [`verify`] (what next, and whether it worked; pure), then the eyes ([`observe`]), the hands ([`act`]), the memory
//! ([`record`]) and the edge ([`io`]). [`cli`] has one thin file per command, [`report`] everything a person reads,
//! [`rehearsal`] the whole world as local servers. The rules that hold between them stand in ARCHITECTURE.md and are
//! checked by `tests/suite/tidy.rs`.

pub mod act;
pub mod cli;
pub mod config;
pub mod decide;
pub mod drive;
pub mod error;
pub mod io;
pub mod live;
pub mod model;
pub mod observe;
pub mod record;
pub mod rehearsal;
pub mod report;
pub mod verify;
pub mod world;
