//! The shapes of a pipeline file, one to one with its keys. Their comments are the descriptions of the JSON Schema.
//!
//! A key without `#[serde(default)]` is required. What is left out and what it then means stands in `defaults`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::field::{Entries, Field};

/// A reference to a secret, for editors: they say so while somebody is about to write the secret itself.
const SECRET: &str = r"^(env:\w+|file:.+)$";

/// How one app gets from a new image to healthy production.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields, title = "A tomoda-release pipeline")]
pub(super) struct File {
    /// The format of this file: `tomoda-release/v1`.
    pub(super) api_version: Field<String>,
    /// The pipeline's name; part of every release id.
    pub(super) name: Field<String>,
    /// The repository the images are built from.
    pub(super) app: Field<App>,
    /// The repository that says what runs.
    pub(super) config: Field<Config>,
    /// Where and how the ledger is kept.
    #[serde(default)]
    pub(super) ledger: Field<Ledger>,
    /// The components by name: one image built from some paths of the app repository each, and the workloads that run it.
    pub(super) components: Field<Entries<Component>>,
    /// The environments, in the order a change travels.
    pub(super) environments: Field<Vec<Field<Environment>>>,
    /// How to reach registries that need more than their name says.
    #[serde(default)]
    pub(super) registries: Field<Vec<Field<Registry>>>,
}

/// The repository the images are built from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(super) struct App {
    /// Its address: https://, ssh://, file:// or user@host:path.
    pub(super) repo: Field<String>,
    /// The branch that releases come from. Default: `main`.
    #[serde(default)]
    pub(super) branch: Field<String>,
    /// How a version is written as a tag. Default: `v{version}`.
    #[serde(default)]
    pub(super) tag: Field<String>,
    /// The version of the first release, when there is no tag yet.
    #[serde(default)]
    pub(super) initial: Field<String>,
    /// Files of the app repository that hold the version: a release commit on top of the proved commit writes them. Default:
    /// none, the tag stands at the proved commit itself.
    #[serde(default)]
    pub(super) version_files: Field<Vec<Field<String>>>,
    /// The token to log in with, as `env:NAME` or `file:PATH`. Default: the git credentials of the machine.
    #[serde(default)]
    #[schemars(extend("pattern" = SECRET))]
    pub(super) token: Field<String>,
    /// The GitHub repository, for the release page. Default: no release page.
    #[serde(default)]
    pub(super) github: Field<GitHub>,
}

/// A GitHub repository.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct GitHub {
    /// `owner/name`.
    pub(super) repo: Field<String>,
    /// The API's address. Default: `https://api.github.com`.
    #[serde(default)]
    pub(super) api: Field<String>,
    /// The token, as `env:NAME` or `file:PATH`. Default: the token of `app`.
    #[serde(default)]
    #[schemars(extend("pattern" = SECRET))]
    pub(super) token: Field<String>,
}

/// The repository that says what runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Config {
    /// Its address: https://, ssh://, file:// or user@host:path.
    pub(super) repo: Field<String>,
    /// The branch Argo CD follows. Default: `main`.
    #[serde(default)]
    pub(super) branch: Field<String>,
    /// How a change reaches the branch. Default: `push`.
    #[serde(default)]
    pub(super) landing: Field<Landing>,
    /// The token to log in with, as `env:NAME` or `file:PATH`. Default: the git credentials of the machine.
    #[serde(default)]
    #[schemars(extend("pattern" = SECRET))]
    pub(super) token: Field<String>,
    /// The author of the commits: `Name <address>`.
    #[serde(default)]
    pub(super) author: Field<String>,
}

/// How a change reaches a branch.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Landing {
    /// A push that names the commit it replaces.
    Push,
}

/// Where and how the ledger is kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Ledger {
    /// Its branch in the config repository. Default: `release-ledger`.
    #[serde(default)]
    pub(super) branch: Field<String>,
    /// What signs the records. Reading needs none.
    #[serde(default)]
    pub(super) sign: Field<Sign>,
    /// Who may sign: `name ssh-ed25519 AAAA…` each.
    #[serde(default)]
    pub(super) trusted: Field<Vec<Field<String>>>,
    /// How long a driver may be silent before another takes over. Default: `15s`.
    #[serde(default)]
    pub(super) lease: Field<String>,
}

/// What signs the records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(super) struct Sign {
    /// An OpenSSH ed25519 private key, as `env:NAME` or `file:PATH`.
    #[schemars(extend("pattern" = SECRET))]
    pub(super) ssh_key: Field<String>,
}

/// A component.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Component {
    /// The files and folders (`backend/**`) of the app repository that decide what is in the image.
    pub(super) paths: Field<Vec<Field<String>>>,
    /// The Deployments that run it.
    pub(super) workloads: Field<Vec<Field<String>>>,
}

/// An environment: one overlay, its namespace, its gates. It has `follow` or `release`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields, extend("oneOf" = [{ "required": ["follow"] }, { "required": ["release"] }]))]
pub(super) struct Environment {
    /// Its name.
    pub(super) name: Field<String>,
    /// The folder of the config repository that holds its kustomization.
    pub(super) overlay: Field<String>,
    /// The namespace its workloads run in.
    pub(super) namespace: Field<String>,
    /// New tags of a registry, by component.
    #[serde(default)]
    pub(super) follow: Field<Entries<Follow>>,
    /// A release cut from what another environment proved.
    #[serde(default)]
    pub(super) release: Field<Release>,
    /// What must be true after a change, in this order.
    pub(super) gates: Field<Vec<Field<Gate>>>,
    /// What happens when a gate fails. Default: `hold`.
    #[serde(default)]
    pub(super) on_failure: Field<OnFailure>,
}

/// What happens when a gate fails.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum OnFailure {
    /// Nothing moves until a person says so.
    Hold,
}

/// The image of a component and which of its tags to move to.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Follow {
    /// The image's name, without tag and digest.
    pub(super) image: Field<String>,
    /// Which tags count, and which of them is newest.
    pub(super) tags: Field<Tags>,
}

/// Which tags count, and which of them is newest.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(super) struct Tags {
    /// What newest means.
    pub(super) newest: Field<Newest>,
    /// A regular expression that the whole tag has to match. Default: every tag but signatures and attestations.
    #[serde(default)]
    pub(super) pattern: Field<String>,
    /// The part of the tag that is compared, as `$name` or `${1}`. Default: the whole tag.
    #[serde(default)]
    pub(super) extract: Field<String>,
    /// The versions that count, for `newest: semver`. Default: `*`.
    #[serde(default)]
    pub(super) range: Field<String>,
    /// Whether versions of one or two numbers count too, for `newest: semver`. Default: `false`.
    #[serde(default)]
    pub(super) lenient: Field<bool>,
    /// How old an image has to be. Default: `0s`.
    #[serde(default)]
    pub(super) min_age: Field<String>,
    /// Whether to move on from a present tag that these rules cannot rank. Default: `false`.
    #[serde(default)]
    pub(super) adopt: Field<bool>,
    /// Whether to follow the present tag when the registry shows it with another digest. Default: `false`, an error.
    #[serde(default)]
    pub(super) allow_retag: Field<bool>,
}

/// What newest means.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Newest {
    /// The order of the commits on the app branch; the pattern's group `commit` names them.
    Commit,
    /// The time at which the registry received the image.
    Uploaded,
    /// Semantic versions inside a range.
    Semver,
}

/// A release cut from what another environment proved.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Release {
    /// The environment that has to prove it; it stands further up in the file.
    pub(super) from: Field<String>,
    /// The image of each component, without tag and digest.
    pub(super) images: Field<Entries<String>>,
    /// How the images come to be.
    pub(super) build: Field<Build>,
}

/// How a release's images come to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Build {
    /// Cloud Build triggers that fire on the release tag.
    CloudBuild(CloudBuild),
}

/// Cloud Build triggers that fire on the release tag.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(super) struct CloudBuild {
    /// The Google Cloud project.
    pub(super) project: Field<String>,
    /// The region of the triggers. Default: `global`.
    #[serde(default)]
    pub(super) location: Field<String>,
    /// The trigger (its name or id) of each component.
    pub(super) triggers: Field<Entries<String>>,
    /// How long a command waits for a build of the tag to appear. Default: `5m`.
    #[serde(default)]
    pub(super) appears_within: Field<String>,
    /// How long a command waits for the builds of the tag to succeed. Default: `60m`.
    #[serde(default)]
    pub(super) finishes_within: Field<String>,
}

/// One question about the outside. Exactly one of the keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct Gate {
    /// Argo CD applied our commit and calls the result healthy.
    #[serde(default)]
    pub(super) argocd: Field<ArgoCd>,
    /// Every workload runs the expected image.
    #[serde(default)]
    pub(super) rollout: Field<Rollout>,
    /// An address answers as it should.
    #[serde(default)]
    pub(super) http: Field<Http>,
    /// The gates before this one stay ready for this long.
    #[serde(default)]
    pub(super) soak: Field<String>,
}

/// Argo CD applied our commit and calls the result healthy.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ArgoCd {
    /// The Application.
    pub(super) application: Field<String>,
    /// The namespace of the Application object. Default: `argocd`.
    #[serde(default)]
    pub(super) namespace: Field<String>,
    /// How long it may take. Default: `10m`.
    #[serde(default)]
    pub(super) within: Field<String>,
}

/// Every workload runs the expected image.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
pub(super) struct Rollout {
    /// How long it may take. Default: `10m`.
    #[serde(default)]
    pub(super) within: Field<String>,
}

/// An address answers as it should.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Http {
    /// The address.
    pub(super) url: Field<String>,
    /// The status it has to answer with. Default: `200`.
    #[serde(default)]
    pub(super) status: Field<u16>,
    /// JSON pointers into the answer and the text each has to show; `{tag}`, `{version}`, `{commit}` and `{digest}` are filled in.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = { "type": ["string", "number", "boolean"] }))]
    pub(super) json: Field<Entries<String>>,
    /// The component the placeholders are about. Default: the first one.
    #[serde(default)]
    pub(super) component: Field<String>,
    /// How long it may take. Default: `5m`.
    #[serde(default)]
    pub(super) within: Field<String>,
}

/// How to reach a registry.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Registry {
    /// Its host (and port), as it stands in image names.
    pub(super) host: Field<String>,
    /// Where it really is. Default: `https://` and the host.
    #[serde(default)]
    pub(super) endpoint: Field<String>,
    /// How to log in. Default: `google` for *.pkg.dev and gcr.io without an `endpoint`, `anonymous` elsewhere.
    #[serde(default)]
    pub(super) auth: Field<Auth>,
}

/// How to log in to a registry.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Auth {
    /// Not at all.
    Anonymous,
    /// With a Google access token.
    Google,
    /// With a name and a password.
    Basic(Basic),
}

/// A name and a password.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Basic {
    /// The name.
    pub(super) username: Field<String>,
    /// The password, as `env:NAME` or `file:PATH`.
    #[schemars(extend("pattern" = SECRET))]
    pub(super) password: Field<String>,
}
