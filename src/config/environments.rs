//! The environments of a pipeline file: where their images come from, in which order a change travels.

use std::{ops::Range, time::Duration};

use crate::model::{
    Build, CloudBuild, ComponentName, EnvName, Environment, Follow, Newest, OnFailure, Policy, Range as Versions, ReleaseFrom, RepoPath,
    Repository, Source, TagPattern,
};

use super::{
    check::{self, Check, Taken},
    defaults, duration, file, gates,
    read::{At, Entries, Field},
};

/// All environments; `None` when one of them is wrong.
pub(super) fn all(
    check: &mut Check<'_>,
    list: At<Vec<Field<file::Environment>>>,
    components: &[ComponentName],
) -> Option<Vec<Environment>> {
    if list.value.is_empty() {
        check.wrong(&list.at, "`environments` is empty: name at least one");
    }
    let all: Vec<String> = list.value.iter().filter_map(|it| name_of(it).map(str::to_owned)).collect();
    let mut before: Vec<String> = Vec::new();
    let mut names = Taken::new("environments");
    let mut entries: Vec<(RepoPath, Repository)> = Vec::new();
    let mut environments = Vec::new();
    for field in list.value {
        let name = name_of(&field).map(str::to_owned);
        let Field::Given(it) = field else {
            environments.push(None);
            continue;
        };
        let at = it.at.clone();
        if let Field::Given(name) = &it.value.name {
            names.take(check, &name.at, &name.value);
        }
        let environment = one(check, it, &Names { components, before: &before, all: &all });
        if let Some(environment) = &environment {
            no_entry_twice(check, &at, environment, &mut entries);
        }
        environments.push(environment);
        before.extend(name);
    }
    environments.into_iter().collect()
}

/// The names that an environment may refer to.
struct Names<'a> {
    components: &'a [ComponentName],
    /// The environments further up.
    before: &'a [String],
    /// The environments of the whole file.
    all: &'a [String],
}

fn name_of(field: &Field<file::Environment>) -> Option<&str> {
    match field {
        Field::Given(At { value: file::Environment { name: Field::Given(name), .. }, .. }) => Some(&name.value),
        _ => None,
    }
}

/// The same image of the same overlay must not be written by two.
fn no_entry_twice(check: &mut Check<'_>, at: &Range<usize>, environment: &Environment, entries: &mut Vec<(RepoPath, Repository)>) {
    for (component, image) in environment.images() {
        let entry = (environment.overlay.clone(), image.clone());
        if entries.contains(&entry) {
            let message = format!("the image {image} of {} is written twice, here for component `{component}`", environment.overlay);
            check.wrong_with(at, message, "each image of an overlay belongs to one component of one environment");
        }
        entries.push(entry);
    }
}

fn one(check: &mut Check<'_>, environment: At<file::Environment>, names: &Names<'_>) -> Option<Environment> {
    let At { value: it, at } = environment;
    let name = check.needed(&at, "name", it.name, EnvName::parse);
    let overlay = check.needed(&at, "overlay", it.overlay, RepoPath::parse);
    let namespace = check.needed(&at, "namespace", it.namespace, check::object_name);
    let source = match (it.follow, it.release) {
        (Field::Given(entries), Field::Absent) => follow(check, entries, names.components).map(Source::Follow),
        (Field::Absent, Field::Given(from)) => release(check, from, names).map(Source::Release),
        (Field::Absent, Field::Absent) => {
            check.wrong_with(&at, "this environment has no images", "it needs `follow` (new tags) or `release` (from another environment)");
            None
        }
        (Field::Given(_), Field::Given(_)) => {
            check.wrong(&at, "this environment has both `follow` and `release`: its images can only come from one");
            None
        }
        _ => None,
    };
    let gates = check.need(&at, "gates", it.gates).and_then(|it| gates::all(check, it.value, names.components));
    let on_failure = match it.on_failure {
        Field::Absent => Some(OnFailure::Hold),
        Field::Bad => None,
        Field::Given(At { value: file::OnFailure::Hold, .. }) => Some(OnFailure::Hold),
    };
    Some(Environment { name: name?, overlay: overlay?, namespace: namespace?, source: source?, gates: gates?, on_failure: on_failure? })
}

fn follow(check: &mut Check<'_>, entries: At<Entries<file::Follow>>, components: &[ComponentName]) -> Option<Vec<Follow>> {
    let each = check.each_component(components, &entries.at, "image", entries.value);
    let follows: Vec<Option<Follow>> = each
        .into_iter()
        .map(|(component, field)| {
            let Field::Given(At { value: follow, at }) = field else { return None };
            let image = check.needed(&at, "image", follow.image, check::image);
            let policy = check.need(&at, "tags", follow.tags).and_then(|it| policy(check, it));
            Some(Follow { component, image: image?, policy: policy? })
        })
        .collect();
    follows.into_iter().collect()
}

fn policy(check: &mut Check<'_>, tags: At<file::Tags>) -> Option<Policy> {
    let At { value: tags, at } = tags;
    let newest = check.need(&at, "newest", tags.newest);
    let semver = newest.as_ref().map(|it| it.value == file::Newest::Semver);
    let for_semver = [("range", place(&tags.range)), ("lenient", place(&tags.lenient)), ("extract", place(&tags.extract))];
    if semver == Some(false) {
        for (key, place) in for_semver {
            if let Some(place) = place {
                check.wrong_with(&place, format!("`{key}` only belongs to `newest: semver`"), "take it out: it would change nothing");
            }
        }
    }
    let pattern = check.or(tags.pattern, None, |it| TagPattern::parse(it).map(Some));
    if let (Some(At { value: file::Newest::Commit, at }), Some(pattern)) = (&newest, &pattern) {
        if !pattern.as_ref().is_some_and(|it| it.has_group("commit")) {
            let remedy = "for instance pattern: '^dev-(?P<commit>[0-9a-f]{7,40})$'";
            check.wrong_with(at, "`newest: commit` needs a `pattern` with a group named `commit`", remedy);
        }
    }
    let extract = check.or(tags.extract, None, |it| extract(it, pattern.as_ref().and_then(Option::as_ref)).map(Some));
    let range = check.or(tags.range, versions("*"), Versions::parse);
    let lenient = flag(tags.lenient);
    let min_age = check.or(tags.min_age, Duration::ZERO, duration::parse);
    let adopt = flag(tags.adopt);
    let newest = match newest?.value {
        file::Newest::Commit => Newest::Commit,
        file::Newest::Uploaded => Newest::Uploaded,
        file::Newest::Semver => Newest::Semver { range: range?, lenient: lenient? },
    };
    Some(Policy { pattern: pattern?, extract: extract?, newest, min_age: min_age?, adopt: adopt?, allow_retag: false })
}

/// Where a field stands, if it was given.
fn place<T>(field: &Field<T>) -> Option<Range<usize>> {
    match field {
        Field::Given(it) => Some(it.at.clone()),
        _ => None,
    }
}

fn flag(field: Field<bool>) -> Option<bool> {
    match field {
        Field::Absent => Some(false),
        Field::Bad => None,
        Field::Given(it) => Some(it.value),
    }
}

fn versions(range: &str) -> Versions {
    Versions::parse(range).expect("every version is a fine range")
}

/// A text with `$name` or `${1}` in it; each has to be a group of the pattern.
fn extract(text: &str, pattern: Option<&TagPattern>) -> Result<String, String> {
    let Some(pattern) = pattern else { return Err("`extract` needs a `pattern` whose groups it can name.".to_owned()) };
    let reference = regex::Regex::new(r"\$(?:\{(\w+)\}|(\w+))").expect("it compiles");
    let mut any = false;
    for found in reference.captures_iter(&text.replace("$$", "")) {
        let group = found.get(1).or(found.get(2)).map_or("", |it| it.as_str());
        let numbered = group.parse::<usize>().is_ok_and(|it| it < pattern.regex().captures_len());
        if !numbered && !pattern.has_group(group) {
            return Err(format!("the pattern has no group “{group}”: name one of its groups, as $name or ${{1}}."));
        }
        any = true;
    }
    if any { Ok(text.to_owned()) } else { Err(format!("“{text}” names no group of the pattern: write $name or ${{1}}.")) }
}

fn release(check: &mut Check<'_>, release: At<file::Release>, names: &Names<'_>) -> Option<ReleaseFrom> {
    let At { value: release, at } = release;
    let from = check.need(&at, "from", release.from).and_then(|it| from(check, &it, names));
    let images = check.need(&at, "images", release.images).and_then(|it| {
        let each = check.each_component(names.components, &it.at, "image", it.value);
        texts(check, each, check::image)
    });
    let build = check.need(&at, "build", release.build).and_then(|it| match it.value {
        file::Build::CloudBuild(build) => cloud_build(check, build, &it.at, names.components).map(Build::CloudBuild),
    });
    Some(ReleaseFrom { from: from?, images: images?, build: build? })
}

/// The environment a release comes from stands further up, so that the order of the file is the order of travel.
fn from(check: &mut Check<'_>, given: &At<String>, names: &Names<'_>) -> Option<EnvName> {
    if names.before.contains(&given.value) {
        return check.parse(given, EnvName::parse);
    }
    if names.all.contains(&given.value) {
        let remedy = "environments stand in the order a change travels";
        check.wrong_with(&given.at, format!("the environment `{}` does not come before this one", given.value), remedy);
    } else {
        let known: Vec<&str> = names.before.iter().map(String::as_str).collect();
        check.unknown("environment", given, &known);
    }
    None
}

fn cloud_build(check: &mut Check<'_>, build: file::CloudBuild, at: &Range<usize>, components: &[ComponentName]) -> Option<CloudBuild> {
    let project = check.needed(at, "project", build.project, check::word);
    let location = check.or(build.location, defaults::CLOUD_BUILD_LOCATION.to_owned(), check::word);
    let triggers = check.need(at, "triggers", build.triggers).and_then(|it| {
        let each = check.each_component(components, &it.at, "trigger", it.value);
        texts(check, each, check::word)
    });
    let appears_within = check.time(build.appears_within, defaults::BUILD_APPEARS);
    let finishes_within = check.time(build.finishes_within, defaults::BUILD_FINISHES);
    if appears_within.zip(finishes_within).is_some_and(|(appears, finishes)| finishes < appears) {
        check.wrong(at, "`finishesWithin` is shorter than `appearsWithin`: both count from the tag");
    }
    Some(CloudBuild {
        project: project?,
        location: location?,
        triggers: triggers?,
        appears_within: appears_within?,
        finishes_within: finishes_within?,
    })
}

/// A text for each component, parsed.
fn texts<T>(
    check: &mut Check<'_>,
    each: Vec<(ComponentName, Field<String>)>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<(ComponentName, T)>> {
    let parsed: Vec<Option<(ComponentName, T)>> = each
        .into_iter()
        .map(|(component, field)| match field {
            Field::Given(it) => check.parse(&it, &parse).map(|it| (component, it)),
            _ => None,
        })
        .collect();
    parsed.into_iter().collect()
}
