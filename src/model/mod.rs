//! Nouns: what a release is made of, as plain data.
//!
//! Here: names that cannot be confused, the pipeline, the plan, steps, gates, events and the state they fold to.
//! Never here: a clock, a file, a socket, an environment variable, a wire format (nothing here is `Serialize`).
//! Start reading at `pipeline.rs`, then `run.rs` and `event.rs`. Used by everyone.

mod event;
mod fold;
mod gate;
mod git;
mod hex;
mod image;
mod loose_version;
mod name;
mod news;
mod pipeline;
mod plan;
mod range;
mod run;
mod secret;
mod sighting;
mod step;
mod version;

pub use event::{Actor, Built, Event};
pub use gate::{Ask, Asked, Evidence, GateSpec, HttpGate, Verdict};
pub use git::{BranchName, CommitId, ObjectId, RefName, RepoPath, RepoUrl};
pub use hex::hex;
pub use image::{Digest, ImageRef, Pin, Repository, Tag, is_google};
pub use loose_version::{ParsedVersion, VersionForm};
pub use name::{ApplicationName, ComponentName, EnvName, PipelineName};
pub use news::{Ending, News, Planned};
pub use pipeline::{
    App, Build, CloudBuild, Component, ConfigRepo, Environment, Follow, GitHub, Landing, LedgerSettings, Newest, OnFailure, PathPattern,
    Pipeline, Policy, RegistryAuth, RegistrySettings, ReleaseFrom, Source, TagPattern,
};
pub use plan::{Brief, BriefCommit, BriefCut, ImageMove, Plan, PlannedTag, ReleaseCommit};
pub use range::Range;
pub use run::{Done, Hold, OpenRun, Passed, Proved, ProvedImage, RunId, RunKind, State};
pub use secret::{Secret, SecretRef};
pub use sighting::{
    AppSeen, ApplicationSeen, BuildSeen, BuildStatus, ConditionSeen, HistoryCommit, HttpSeen, Listing, NewRelease, OperationSeen,
    OverlaySeen, Seen, Sighting, TagSeen, TaggedImage, Unseen, WorkloadSeen,
};
pub use step::{BranchAdvance, FileText, Outcome, OverlayWrite, PageWrite, Performed, Step, StepKey, TagCut, Work};
pub use version::{Level, TagTemplate, Version};
