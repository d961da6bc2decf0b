//! What a key that is left out means. `pipelines/README.md` and the comments in `file.rs` say the same; a test compares.

use std::time::Duration;

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

pub(super) const API_VERSION: &str = "tomoda-release/v1";
pub(super) const BRANCH: &str = "main";
pub(super) const GITHUB_API: &str = "https://api.github.com";
pub(super) const AUTHOR: (&str, &str) = ("tomoda-release", "tomoda-release@users.noreply.github.com");
pub(super) const LEDGER_BRANCH: &str = "release-ledger";
pub(super) const LEASE: Duration = Duration::from_secs(15);
pub(super) const CLOUD_BUILD_LOCATION: &str = "global";
pub(super) const BUILD_APPEARS: Duration = minutes(5);
pub(super) const BUILD_FINISHES: Duration = minutes(60);
pub(super) const ARGOCD_NAMESPACE: &str = "argocd";
pub(super) const ARGOCD_WITHIN: Duration = minutes(10);
pub(super) const ROLLOUT_WITHIN: Duration = minutes(10);
pub(super) const HTTP_WITHIN: Duration = minutes(5);
pub(super) const HTTP_STATUS: u16 = 200;
