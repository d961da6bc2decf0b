//! From the shapes of a pipeline file to the model: every value parsed, every name resolved, every problem noted.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::model::{
    App, BranchName, Component, ComponentName, ConfigRepo, Environment, GitHub, Landing, LedgerSettings, PathPattern, Pipeline,
    PipelineName, RefName, RegistryAuth, RegistrySettings, RepoPath, RepoUrl, Tag, TagTemplate, Version,
};

use super::{
    check::{self, Check, Taken},
    defaults, environments,
    field::{At, Entries, Field},
    file,
    problem::Problems,
};

/// Builds the pipeline. `None` when something is wrong; then it is noted.
pub(super) fn pipeline(file: At<file::File>, problems: &mut Problems) -> Option<Pipeline> {
    let check = &mut Check::new(problems);
    let At { value: file, at } = file;
    check.needed(&at, "apiVersion", file.api_version, |text| match text {
        defaults::API_VERSION => Ok(()),
        other => Err(format!("“{other}” is not a format that this version reads: {} is.", defaults::API_VERSION)),
    });
    let name = check.needed(&at, "name", file.name, PipelineName::parse);
    let app = check.need(&at, "app", file.app).and_then(|it| app(check, it));
    let config = check.need(&at, "config", file.config).and_then(|it| config(check, it));
    let ledger = ledger(check, file.ledger, config.as_ref());
    let (names, components) = components(check, &at, file.components);
    let environments = check.need(&at, "environments", file.environments).and_then(|it| environments::all(check, it, &names));
    let registries = registries(check, file.registries, environments.as_deref().unwrap_or_default());
    Some(Pipeline {
        name: name?,
        app: app?,
        config: config?,
        ledger: ledger?,
        components: components?,
        environments: environments?,
        registries: registries?,
    })
}

fn app(check: &mut Check<'_>, app: At<file::App>) -> Option<App> {
    let At { value: app, at } = app;
    let repo = check.needed(&at, "repo", app.repo, repo_url);
    let branch = check.or(app.branch, branch(defaults::BRANCH), BranchName::parse);
    let tag = check.or(app.tag, TagTemplate::default(), tag_template);
    let initial = check.or(app.initial, None, |it| Version::parse(it).map(Some));
    let version_files = version_files(check, app.version_files);
    let token = check.optional_secret(app.token);
    let github = match app.github {
        Field::Absent => Some(None),
        Field::Bad => None,
        Field::Given(it) => github(check, it, token.clone().flatten()).map(Some),
    };
    let (version_files, github) = (version_files?, github?);
    Some(App { repo: repo?, token: token?, branch: branch?, tag: tag?, initial: initial?, version_files, github })
}

fn version_files(check: &mut Check<'_>, files: Field<Vec<Field<String>>>) -> Option<Vec<RepoPath>> {
    let mut known = BTreeSet::new();
    match files {
        Field::Absent => Some(Vec::new()),
        Field::Bad => None,
        Field::Given(it) => check.items(it.value, |text| match RepoPath::parse(text)? {
            it if !known.insert(it.clone()) => Err(format!("“{text}” is named twice.")),
            it => Ok(it),
        }),
    }
}

fn github(check: &mut Check<'_>, github: At<file::GitHub>, token_of_app: Option<crate::model::SecretRef>) -> Option<GitHub> {
    let At { value: github, at } = github;
    let full = check.needed(&at, "repo", github.repo, |text| match text.split('/').collect::<Vec<_>>()[..] {
        [owner, repo] if !owner.is_empty() && !repo.is_empty() => check::word(text).map(|_| (owner.to_owned(), repo.to_owned())),
        _ => Err(format!("“{text}” is not a GitHub repository: write owner/name.")),
    });
    let api = check.or(github.api, defaults::GITHUB_API.to_owned(), check::http_url);
    let token = check.optional_secret(github.token);
    if token == Some(None) && token_of_app.is_none() {
        check.wrong_with(&at, "`token` is missing here", "GitHub needs one to publish a release page: token: env:NAME");
    }
    let (owner, repo) = full?;
    Some(GitHub { api: api?.trim_end_matches('/').to_owned(), owner, repo, token: token?.or(token_of_app)? })
}

fn config(check: &mut Check<'_>, config: At<file::Config>) -> Option<ConfigRepo> {
    let At { value: config, at } = config;
    let repo = check.needed(&at, "repo", config.repo, repo_url);
    let branch = check.or(config.branch, branch(defaults::BRANCH), BranchName::parse);
    let landing = match config.landing {
        Field::Absent => Some(Landing::Push),
        Field::Bad => None,
        Field::Given(At { value: file::Landing::Push, .. }) => Some(Landing::Push),
    };
    let token = check.optional_secret(config.token);
    let author = check.or(config.author, (defaults::AUTHOR.0.to_owned(), defaults::AUTHOR.1.to_owned()), author);
    Some(ConfigRepo { repo: repo?, token: token?, branch: branch?, landing: landing?, author: author? })
}

fn ledger(check: &mut Check<'_>, ledger: Field<file::Ledger>, config: Option<&ConfigRepo>) -> Option<LedgerSettings> {
    let ledger = match ledger {
        Field::Absent => file::Ledger::default(),
        Field::Bad => return None,
        Field::Given(it) => it.value,
    };
    let branch = check.or(ledger.branch, branch(defaults::LEDGER_BRANCH), |text| match BranchName::parse(text)? {
        it if config.is_some_and(|config| config.branch == it) => {
            Err(format!("“{text}” is the branch Argo CD follows: the ledger needs a branch of its own."))
        }
        it => Ok(it),
    });
    let sign = match ledger.sign {
        Field::Absent => Some(None),
        Field::Bad => None,
        Field::Given(it) => check.need(&it.at, "sshKey", it.value.ssh_key).and_then(|key| check.secret(&key)).map(Some),
    };
    let trusted = match ledger.trusted {
        Field::Absent => Some(Vec::new()),
        Field::Bad => None,
        Field::Given(it) => check.items(it.value, trusted_key),
    };
    let lease = check.time(ledger.lease, defaults::LEASE);
    Some(LedgerSettings { branch: branch?, sign: sign?, trusted: trusted?, lease: lease? })
}

/// The names of all components that have one, and the components if all of them are right.
fn components(
    check: &mut Check<'_>,
    owner: &Range<usize>,
    field: Field<Entries<file::Component>>,
) -> (Vec<ComponentName>, Option<Vec<Component>>) {
    let Some(entries) = check.need(owner, "components", field) else { return (Vec::new(), None) };
    if entries.value.0.is_empty() {
        check.wrong(&entries.at, "`components` is empty: name at least one");
    }
    let mut names = Vec::new();
    let mut components = Vec::new();
    for (key, field) in entries.value.0 {
        let name = check.parse(&key, ComponentName::parse);
        names.extend(name.clone());
        let component = match field {
            Field::Given(it) => {
                let paths = check.list(&it.at, "paths", it.value.paths, PathPattern::parse);
                let workloads = check.list(&it.at, "workloads", it.value.workloads, check::object_name);
                name.zip(paths).zip(workloads).map(|((name, paths), workloads)| Component { name, paths, workloads })
            }
            _ => None,
        };
        components.push(component);
    }
    (names, components.into_iter().collect())
}

/// One entry for every registry that an image is in: what the file says about it, or what is usual.
fn registries(
    check: &mut Check<'_>,
    field: Field<Vec<Field<file::Registry>>>,
    environments: &[Environment],
) -> Option<Vec<RegistrySettings>> {
    let mut used: Vec<&str> = environments.iter().flat_map(Environment::images).map(|(_, image)| image.registry()).collect();
    used.sort_unstable();
    used.dedup();
    let given = match field {
        Field::Absent => Vec::new(),
        Field::Bad => return None,
        Field::Given(it) => it.value,
    };
    let mut taken = Taken::new("registries");
    let mut settings = Vec::new();
    for it in given {
        let registry = match it {
            Field::Given(it) => registry(check, it, &used, &mut taken),
            _ => None,
        };
        settings.push(registry);
    }
    let mut settings: Vec<RegistrySettings> = settings.into_iter().collect::<Option<_>>()?;
    for host in used {
        if !settings.iter().any(|it| it.host == host) {
            settings.push(RegistrySettings::usual(host));
        }
    }
    Some(settings)
}

fn registry(check: &mut Check<'_>, registry: At<file::Registry>, used: &[&str], taken: &mut Taken<'_>) -> Option<RegistrySettings> {
    let At { value: registry, at } = registry;
    let host = check.need(&at, "host", registry.host);
    if let Some(host) = &host {
        taken.take(check, &host.at, &host.value);
        if !used.is_empty() && !used.contains(&host.value.as_str()) {
            let remedy = format!("the images of this pipeline are in {}", used.join(", "));
            check.wrong_with(&host.at, format!("no image is in the registry `{}`", host.value), remedy);
        }
    }
    let endpoint = check.or(registry.endpoint, None, |it| check::http_url(it).map(|it| Some(it.trim_end_matches('/').to_owned())));
    let auth = match registry.auth {
        // Behind an endpoint of one's own there is a mirror or a stand-in, which must not be sent Google's token unasked.
        Field::Absent => match (&host, &endpoint) {
            (Some(host), Some(None)) => Some(RegistryAuth::usual(&host.value)),
            _ => Some(RegistryAuth::Anonymous),
        },
        Field::Bad => None,
        Field::Given(At { value: file::Auth::Anonymous, .. }) => Some(RegistryAuth::Anonymous),
        Field::Given(At { value: file::Auth::Google, .. }) => Some(RegistryAuth::Google),
        Field::Given(At { value: file::Auth::Basic(basic), at }) => {
            let username = check.needed(&at, "username", basic.username, check::word);
            let password = check.need(&at, "password", basic.password).and_then(|it| check.secret(&it));
            username.zip(password).map(|(username, password)| RegistryAuth::Basic { username, password })
        }
    };
    Some(RegistrySettings { host: host?.value, endpoint: endpoint?, auth: auth? })
}

/// A branch name that is part of this program.
fn branch(name: &str) -> BranchName {
    BranchName::parse(name).expect("the default branches are fine names")
}

/// A repository's address; a password in it would be a secret in a file.
fn repo_url(text: &str) -> Result<RepoUrl, String> {
    let url = RepoUrl::parse(text)?;
    let userinfo = text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split('/').next()?.rsplit_once('@')?.0)));
    match userinfo {
        Some((scheme, user)) if scheme != "ssh" || user.contains(':') => {
            Err("an address must not carry a password: name it with token: env:NAME.".to_owned())
        }
        _ => Ok(url),
    }
}

/// The version is a strict semantic version, so nothing that could be part of one may stand around it.
fn tag_template(text: &str) -> Result<TagTemplate, String> {
    let template = TagTemplate::parse(text)?;
    let rendered = template.render(Version { major: 1, minor: 2, patch: 3 });
    let strict = rendered.strip_suffix("1.2.3").is_some_and(|prefix| !prefix.ends_with(|c: char| c.is_ascii_digit() || ".+".contains(c)));
    if !strict {
        return Err(format!(
            "“{text}” gives tags such as {rendered}, which are not strict versions: {{version}} stands last, as in v{{version}}."
        ));
    }
    RefName::tag(&rendered)?;
    Tag::parse(&rendered)?;
    Ok(template)
}

/// `Name <address>`.
fn author(text: &str) -> Result<(String, String), String> {
    let fine = |it: &str| !it.trim().is_empty() && !it.contains(['<', '>']) && !it.chars().any(char::is_control);
    match text.strip_suffix('>').and_then(|it| it.split_once('<')) {
        Some((name, address)) if fine(name) && fine(address) => Ok((name.trim().to_owned(), address.trim().to_owned())),
        _ => Err(format!("“{}” is not an author: write Name <address>.", text.escape_debug())),
    }
}

/// `principal ssh-ed25519 AAAA…`.
fn trusted_key(text: &str) -> Result<(String, String), String> {
    let form = "write a name, then the public key as `ssh-keygen -y` prints it: release-bot ssh-ed25519 AAAA…";
    let (principal, key) = text.trim().split_once(char::is_whitespace).ok_or_else(|| format!("this is not a trusted key: {form}"))?;
    let key = key.trim();
    let parsed =
        ssh_key::PublicKey::from_openssh(key).map_err(|why| format!("the public key of {principal} cannot be read ({why}): {form}"))?;
    if parsed.algorithm() != ssh_key::Algorithm::Ed25519 {
        return Err(format!("the public key of {principal} is not an ssh-ed25519 key."));
    }
    Ok((principal.to_owned(), key.to_owned()))
}
