//! A pipeline: an app, its components, its environments in order. Validated and immutable.

use std::time::Duration;

use super::{
    ApplicationName, BranchName, ComponentName, EnvName, GateSpec, PipelineName, Range, RepoPath, RepoUrl, Repository, SecretRef,
    TagTemplate, Version,
};

/// One app's way to production, as its pipeline file says it.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its name; part of every release id.
    pub name: PipelineName,
    /// The repository the images are built from.
    pub app: App,
    /// The repository that says what runs.
    pub config: ConfigRepo,
    /// Where and how the ledger is kept.
    pub ledger: LedgerSettings,
    /// The components, in the file's order.
    pub components: Vec<Component>,
    /// The environments, in the order a change travels.
    pub environments: Vec<Environment>,
    /// How to reach registries that need more than their name says.
    pub registries: Vec<RegistrySettings>,
}

impl Pipeline {
    /// The environment of this name.
    pub fn environment(&self, name: &EnvName) -> Option<&Environment> {
        self.environments.iter().find(|it| it.name == *name)
    }

    /// The component of this name.
    pub fn component(&self, name: &ComponentName) -> Option<&Component> {
        self.components.iter().find(|it| it.name == *name)
    }
}

/// The repository the images are built from.
#[derive(Clone, Debug)]
pub struct App {
    /// Where it is.
    pub repo: RepoUrl,
    /// How to log in; `None` means the git credentials of this machine.
    pub token: Option<SecretRef>,
    /// The branch that releases come from.
    pub branch: BranchName,
    /// How a version is written as a tag.
    pub tag: TagTemplate,
    /// The version of the first release, when there is no tag yet.
    pub initial: Option<Version>,
    /// Files that hold the version and are written in a release commit; none: the tag stands at the proved commit itself.
    pub version_files: Vec<RepoPath>,
    /// The forge, for the release page.
    pub github: Option<GitHub>,
}

/// A GitHub repository, for release pages.
#[derive(Clone, Debug)]
pub struct GitHub {
    /// The API's base address: `https://api.github.com` or an enterprise server's.
    pub api: String,
    /// The owner.
    pub owner: String,
    /// The repository.
    pub repo: String,
    /// The token.
    pub token: SecretRef,
}

/// The repository that says what runs.
#[derive(Clone, Debug)]
pub struct ConfigRepo {
    /// Where it is.
    pub repo: RepoUrl,
    /// How to log in; `None` means the git credentials of this machine.
    pub token: Option<SecretRef>,
    /// The branch Argo CD follows.
    pub branch: BranchName,
    /// How a change reaches the branch.
    pub landing: Landing,
    /// Name and address of the commits' author.
    pub author: (String, String),
}

/// How a change reaches the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// A push with the expected old id.
    Push,
}

/// Where and how the ledger is kept.
#[derive(Clone, Debug)]
pub struct LedgerSettings {
    /// The orphan branch in the config repository.
    pub branch: BranchName,
    /// The SSH private key that signs records. Reading needs none.
    pub sign: Option<SecretRef>,
    /// Who may sign: `(principal, OpenSSH public key)`.
    pub trusted: Vec<(String, String)>,
    /// How long a driver may be silent before another takes over.
    pub lease: Duration,
}

/// One image built from some paths of the app repository, and the workloads that run it.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name.
    pub name: ComponentName,
    /// The paths whose content decides what is in the image.
    pub paths: Vec<PathPattern>,
    /// The Deployments that run it.
    pub workloads: Vec<String>,
}

/// A path of the app repository: a file, or a folder with everything below it (`backend/**`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// The file or folder.
    pub path: RepoPath,
}

impl PathPattern {
    /// Accepts `dir/**`, `dir/` and `file`; other wildcards are refused, because what they cover could not be compared as one git object.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = text.strip_suffix("/**").unwrap_or(text);
        if plain.contains(['*', '?', '[', '{']) {
            return Err(format!("“{text}” has a wildcard that is not a final “/**”: name a file or a folder."));
        }
        RepoPath::parse(plain).map(|path| Self { path })
    }

    /// Whether a changed file is covered by this pattern.
    pub fn covers(&self, file: &str) -> bool {
        let path = self.path.as_str();
        file == path || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// One overlay, its namespace, its gates.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: EnvName,
    /// The folder of the config repository that holds its kustomization.
    pub overlay: RepoPath,
    /// The namespace its workloads run in.
    pub namespace: String,
    /// Where its images come from.
    pub source: Source,
    /// What must be true after a change.
    pub gates: Vec<GateSpec>,
    /// What happens when a gate fails.
    pub on_failure: OnFailure,
}

impl Environment {
    /// The image of a component in this environment.
    pub fn image(&self, component: &ComponentName) -> Option<&Repository> {
        match &self.source {
            Source::Follow(follows) => follows.iter().find(|it| it.component == *component).map(|it| &it.image),
            Source::Release(from) => from.images.iter().find(|it| it.0 == *component).map(|it| &it.1),
        }
    }

    /// Every component of this environment with its image.
    pub fn images(&self) -> Vec<(&ComponentName, &Repository)> {
        match &self.source {
            Source::Follow(follows) => follows.iter().map(|it| (&it.component, &it.image)).collect(),
            Source::Release(from) => from.images.iter().map(|it| (&it.0, &it.1)).collect(),
        }
    }

    /// The Argo CD Applications its gates name.
    pub fn applications(&self) -> impl Iterator<Item = (&ApplicationName, &str)> {
        self.gates.iter().filter_map(|it| match it {
            GateSpec::ArgoCd { application, namespace, .. } => Some((application, namespace.as_str())),
            _ => None,
        })
    }
}

/// What happens when a gate fails after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Nothing moves until a person says so.
    Hold,
}

/// Where an environment's images come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// New tags of a registry, as they appear.
    Follow(Vec<Follow>),
    /// A release cut from what another environment proved.
    Release(ReleaseFrom),
}

/// New tags of one image.
#[derive(Clone, Debug)]
pub struct Follow {
    /// The component.
    pub component: ComponentName,
    /// Its image.
    pub image: Repository,
    /// Which tags count, and which of them is newest.
    pub policy: Policy,
}

/// Which tags count, and which of them is newest.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The tags that count; `None` means all but signatures and attestations.
    pub pattern: Option<TagPattern>,
    /// Which part of the tag is compared.
    pub extract: Option<String>,
    /// What newest means.
    pub newest: Newest,
    /// A candidate younger than this is left to mature.
    pub min_age: Duration,
    /// Moves on although the present tag cannot be ranked by this policy.
    pub adopt: bool,
    /// Follows the present tag when the registry shows it with another digest.
    pub allow_retag: bool,
}

/// What newest means.
#[derive(Clone, Debug, PartialEq)]
pub enum Newest {
    /// The order of the commits on the app branch; the pattern's group `commit` names them.
    Commit,
    /// The time at which the registry received the image.
    Uploaded,
    /// Semantic versions inside a range.
    Semver {
        /// The range; `*` when the file says nothing.
        range: Range,
        /// Also ranks versions with fewer than three parts.
        lenient: bool,
    },
}

/// A regular expression that has to match a whole tag.
#[derive(Clone, Debug)]
pub struct TagPattern {
    source: String,
    regex: regex::Regex,
}

impl TagPattern {
    /// Compiles a pattern; it is anchored at both ends.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The text is compiled alone first, so that `a)|(b` is an error and not a way out of the anchors.
        // Below a picture of the pattern the last line says what is wrong.
        let reason = |why: regex::Error| why.to_string().rsplit("error: ").next().unwrap_or_default().to_owned();
        let bad = |why| format!("“{text}” is not a regular expression: {}", reason(why));
        regex::Regex::new(text).map_err(bad)?;
        let regex = regex::Regex::new(&format!("^(?:{text})$")).map_err(bad)?;
        Ok(Self { source: text.to_owned(), regex })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The compiled, anchored expression.
    pub fn regex(&self) -> &regex::Regex {
        &self.regex
    }

    /// Whether the pattern has a group of this name.
    pub fn has_group(&self, name: &str) -> bool {
        self.regex.capture_names().flatten().any(|it| it == name)
    }

    /// Refuses an extract (`$1`, `${name}`, `$name`) that names a group the pattern has not, or no group at all.
    pub fn check_extract(&self, extract: &str) -> Result<(), String> {
        let names = extract_names(extract)?;
        let known = |name: &str| name.parse().map_or_else(|_| self.has_group(name), |number: usize| number < self.regex.captures_len());
        match names.iter().find(|it| !known(it)) {
            Some(name) => Err(format!(
                "“{extract}” names the group “{name}”, which the pattern “{}” has not; write ${{1}} where letters or digits follow.",
                self.source
            )),
            None if names.is_empty() => Err(format!("“{extract}” names no group of the pattern; write $1, ${{1}} or $name.")),
            None => Ok(()),
        }
    }

    /// The part of a tag that is compared: the whole tag, or what the extract makes of it. `None`: the pattern does not match.
    pub fn key(&self, tag: &str, extract: Option<&str>) -> Option<String> {
        let captures = self.regex.captures(tag)?;
        let mut key = String::new();
        captures.expand(extract.unwrap_or("$0"), &mut key);
        Some(key)
    }
}

/// The groups that an extract names: what follows each `$`, in braces or as many word characters as there are.
fn extract_names(extract: &str) -> Result<Vec<&str>, String> {
    let bad = || format!("“{extract}” has a “$” that names no group; write $$ for a dollar sign.");
    let mut names = Vec::new();
    let mut rest = extract;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let (name, after) = match rest.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or_else(bad)?,
            None => rest.split_at(rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())),
        };
        if name.is_empty() {
            return Err(bad());
        }
        names.push(name);
        rest = after;
    }
    Ok(names)
}

/// A release cut from what another environment proved.
#[derive(Clone, Debug)]
pub struct ReleaseFrom {
    /// The environment that has to prove it first.
    pub from: EnvName,
    /// The image of each component in this environment.
    pub images: Vec<(ComponentName, Repository)>,
    /// How the images come to be.
    pub build: Build,
}

/// How a release's images come to be.
#[derive(Clone, Debug)]
pub enum Build {
    /// Cloud Build triggers that fire on the tag.
    CloudBuild(CloudBuild),
}

/// Cloud Build triggers that fire on a release tag.
#[derive(Clone, Debug)]
pub struct CloudBuild {
    /// The Google Cloud project.
    pub project: String,
    /// The region of the triggers; `global` is one too.
    pub location: String,
    /// The trigger (name or id) of each component.
    pub triggers: Vec<(ComponentName, String)>,
    /// How long a command waits for a build of the tag to appear.
    pub appears_within: Duration,
    /// How long a command waits for the builds of the tag to succeed.
    pub finishes_within: Duration,
}

/// How to reach a registry.
#[derive(Clone, Debug)]
pub struct RegistrySettings {
    /// The registry's host (and port), as it stands in image names.
    pub host: String,
    /// Where it really is; `None` means `https://host`.
    pub endpoint: Option<String>,
    /// How to log in.
    pub auth: RegistryAuth,
}

impl RegistrySettings {
    /// How a registry is reached that nobody says more about than its name.
    pub fn usual(host: &str) -> Self {
        Self { host: host.to_owned(), endpoint: None, auth: RegistryAuth::usual(host) }
    }
}

/// How to log in to a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryAuth {
    /// Not at all.
    Anonymous,
    /// With a Google access token: application default credentials.
    Google,
    /// With a name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: SecretRef,
    },
}

impl RegistryAuth {
    /// How one logs in to a registry of this name: to Google's with Google's credentials, elsewhere not at all.
    pub fn usual(host: &str) -> Self {
        if super::is_google(host) { Self::Google } else { Self::Anonymous }
    }
}
