//! The gates: by example, under random schedules, and the cluster's API under faults.

mod cluster;
mod examples;
mod simulation;
