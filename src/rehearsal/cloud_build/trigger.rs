//! Tomoda's four triggers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::build::{LOCATION, PROJECT};
use crate::rehearsal::stage::Chance;

/// What a trigger fires on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fires {
    /// A push to `main` that touches one of the included files; waits for approval.
    Push,
    /// A release tag.
    Tag,
}

/// One trigger.
#[derive(Clone, Debug)]
pub(super) struct Trigger {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) fires: Fires,
    pub(super) file: String,
    included: Vec<String>,
    pub(super) substitutions: BTreeMap<String, String>,
}

/// The tag regex of the release triggers, as Tomoda's Terraform has it.
const TAG: &str = "^v[0-9]+\\.[0-9]+\\.[0-9]+$";

/// A push trigger and a release trigger for each component.
pub(super) fn all(chance: &Chance) -> Vec<Trigger> {
    let mut triggers = Vec::new();
    for component in ["backend", "frontend"] {
        for fires in [Fires::Push, Fires::Tag] {
            let (kind, own): (_, &[(&str, &str)]) = match fires {
                Fires::Push => ("push", &[("_REPO_NAME", "tomoda-dev-repo"), ("TAG_NAME", "dev-$SHORT_SHA")]),
                Fires::Tag => ("release", &[("_REPO_NAME", "tomoda-prod-repo")]),
            };
            let region = ("_REGION", LOCATION);
            triggers.push(Trigger {
                id: chance.uuid(),
                name: format!("{component}-{kind}-trigger"),
                fires,
                file: format!("cloudbuild-{component}.yaml"),
                included: vec![format!("{component}/**"), format!("cloudbuild-{component}.yaml")],
                substitutions: own.iter().chain([&region]).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            });
        }
    }
    triggers
}

impl Trigger {
    /// Whether the trigger looks at this file.
    pub(super) fn includes(&self, path: &str) -> bool {
        self.included.iter().any(|pattern| match pattern.strip_suffix("**") {
            Some(folder) => path.starts_with(folder),
            None => pattern == path,
        })
    }

    /// Whether a tag of this name fires a release trigger.
    pub(super) fn is_release_tag(tag: &str) -> bool {
        let numbers = |text: &str| {
            let parts: Vec<&str> = text.split('.').collect();
            parts.len() == 3 && parts.iter().all(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
        };
        tag.strip_prefix('v').is_some_and(numbers)
    }

    /// The trigger as the service writes it.
    pub(super) fn json(&self, since: Timestamp) -> Value {
        let event = match self.fires {
            Fires::Push => json!({"branch": "^main$"}),
            Fires::Tag => json!({"tag": TAG}),
        };
        let mut trigger = json!({
            "id": self.id,
            "resourceName": format!("projects/{PROJECT}/locations/{LOCATION}/triggers/{}", self.id),
            "name": self.name,
            "createTime": since.to_string(),
            "github": {"owner": "tomoda-labs", "name": "tomoda", "push": event},
            "filename": self.file,
            "substitutions": self.substitutions,
        });
        if self.fires == Fires::Push {
            trigger["includedFiles"] = json!(self.included);
            trigger["approvalConfig"] = json!({"approvalRequired": true});
        }
        trigger
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_release_tags_build() {
        for tag in ["v0.0.0", "v1.20.300"] {
            assert!(Trigger::is_release_tag(tag), "{tag}");
        }
        for tag in ["1.2.3", "v1.2", "v1.2.3-rc.1", "v1.2.3.4", "v1..3", "vx.y.z", "v1.2.3 "] {
            assert!(!Trigger::is_release_tag(tag), "{tag}");
        }
    }

    #[test]
    fn a_push_trigger_looks_at_its_own_files() {
        let triggers = all(&Chance::new(1));
        let backend = triggers.iter().find(|it| it.name == "backend-push-trigger").unwrap();
        assert!(backend.includes("backend/main.go") && backend.includes("cloudbuild-backend.yaml"));
        assert!(!backend.includes("frontend/index.html") && !backend.includes("backend.md") && !backend.includes("docs/backend/x"));
    }
}
