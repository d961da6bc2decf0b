//! The version of one commit of a branch: from which tag it is counted, and when it must not be cut.

use super::{Commit, Next, next_version};
use crate::decide::ancestry::Ancestry;
use crate::error::{Error, Result};
use crate::model::{AppSeen, CommitId, TagSeen, TagTemplate, Version};

/// What there is to cut at a commit.
#[derive(Clone, Debug, PartialEq)]
pub enum PlannedVersion {
    /// Nothing: the commit is released already.
    AlreadyTagged {
        /// Its tag; the highest, where it has several.
        tag: TagSeen,
        /// What a person should know.
        warnings: Vec<String>,
    },
    /// This tag.
    Cut {
        /// The tag's name.
        tag: String,
        /// The version and how it came to be.
        next: Next,
    },
}

/// Plans the version of a commit: counted from the highest version tag that it contains, whatever the clock says.
pub fn plan_version(app: &AppSeen, template: &TagTemplate, initial: Option<Version>, target: &CommitId) -> Result<PlannedVersion> {
    let graph = Ancestry::new(&app.history);
    let at = graph.position(target).ok_or_else(|| not_on_branch(app, target))?;
    let tags = Tags::sort(app, &graph, at);
    let mut warnings = tags.warnings(app);
    if let Some(tag) = tags.here {
        tag_is_what_it_says(tag)?;
        return Ok(PlannedVersion::AlreadyTagged { tag: tag.clone(), warnings });
    }
    if let Some(later) = tags.later {
        return Err(Error::refused(format!(
            "The commit {} is older than {}, which is released ({}): cutting it would be a downgrade.",
            target.short(),
            later.commit.short(),
            later.name
        ))
        .hint("Going back to an earlier release is a rollback, not a release."));
    }
    if let Some(base) = tags.base {
        tag_is_what_it_says(base)?;
        if base.header.is_none() {
            warnings
                .push(format!("The tag {}, from which the version is counted, is lightweight: it does not say who made it.", base.name));
        }
    }
    let next = count(app, &graph, at, tags.base, initial)?;
    finish(app, template, next, warnings)
}

/// Counts from the base to the commit at this position.
fn count(app: &AppSeen, graph: &Ancestry<'_>, at: usize, base: Option<&TagSeen>, initial: Option<Version>) -> Result<Next> {
    let wanted = graph.ancestors(at);
    let released = base.and_then(|it| place(graph, it)).map(|it| graph.ancestors(it));
    let in_range = |at: &usize| wanted[*at] && !released.as_ref().is_some_and(|it| it[*at]);
    let range: Vec<Commit<'_>> = (0..app.history.len()).rev().filter(in_range).map(|it| graph.commit(it).into()).collect();
    next_version(base.map(|it| it.version), initial, &range)
}

/// Refuses a name that is taken, and warns of a version that is lower than one elsewhere.
fn finish(app: &AppSeen, template: &TagTemplate, mut next: Next, mut warnings: Vec<String>) -> Result<PlannedVersion> {
    let tag = template.render(next.next);
    if let Some(owner) = app.tags.iter().find(|it| it.name == tag || it.version == next.next) {
        return Err(Error::refused(format!(
            "The next version would be {tag}, but that tag exists at {}, which this commit does not contain.",
            owner.commit.short()
        ))
        .hint(format!(
            "Release a commit that contains {}, or remove the tag {} if it was never released.",
            owner.commit.short(),
            owner.name
        )));
    }
    if app.lookalikes.contains(&tag) {
        return Err(Error::refused(format!("The next version would be {tag}, but a tag of that name exists and is not on a commit.")));
    }
    if let Some(highest) = app.tags.iter().filter(|it| it.version > next.next).max_by_key(|it| it.version) {
        warnings.push(format!(
            "{tag} is lower than the highest version {}, which stands at {} and is not part of this commit.",
            highest.name,
            highest.commit.short()
        ));
    }
    warnings.append(&mut next.warnings);
    next.warnings = warnings;
    Ok(PlannedVersion::Cut { tag, next })
}

fn not_on_branch(app: &AppSeen, target: &CommitId) -> Error {
    let branch = app.branch.as_ref().map_or("the branch".to_owned(), |it| format!("the branch {it}"));
    Error::refused(format!("The commit {} is not on {branch}, so it cannot be released.", target.short()))
        .hint("Releases are cut at commits of the release branch only; merge it first.")
}

/// A tag object carries its own name. Under another ref name, it is somebody else's signature on something it was not made for.
fn tag_is_what_it_says(tag: &TagSeen) -> Result<()> {
    match &tag.header {
        Some(header) if *header != tag.name => Err(Error::refused(format!(
            "The ref {} points to a tag object that calls itself {header}: it was copied or moved and cannot be trusted.",
            tag.name
        ))
        .hint(format!("Find out who pushed it, and delete the ref refs/tags/{} if it is not meant.", tag.name))),
        _ => Ok(()),
    }
}

/// Where a tag stands on the branch: at its commit, or, where that is a release commit beside the branch, at the commit it was made on.
fn place(graph: &Ancestry<'_>, tag: &TagSeen) -> Option<usize> {
    graph.position(&tag.commit).or_else(|| graph.position(tag.onto.as_ref()?))
}

/// The version tags, by where they stand relative to one commit; the highest of each place.
struct Tags<'a> {
    here: Option<&'a TagSeen>,
    base: Option<&'a TagSeen>,
    later: Option<&'a TagSeen>,
}

impl<'a> Tags<'a> {
    fn sort(app: &'a AppSeen, graph: &Ancestry<'_>, at: usize) -> Self {
        let (before, after) = (graph.ancestors(at), graph.descendants(at));
        let target = &graph.commit(at).id;
        let highest = |wanted: &dyn Fn(&TagSeen) -> bool| app.tags.iter().filter(|it| wanted(it)).max_by_key(|it| it.version);
        let elsewhere = |tag: &TagSeen, among: &[bool]| !tag.releases(target) && place(graph, tag).is_some_and(|it| among[it]);
        Self {
            here: highest(&|it| it.releases(target)),
            base: highest(&|it| elsewhere(it, &before)),
            later: highest(&|it| elsewhere(it, &after)),
        }
    }

    /// Warnings about tags that are not used.
    fn warnings(&self, app: &AppSeen) -> Vec<String> {
        let used = [self.here, self.base];
        let ignored = app.lookalikes.iter().map(|it| format!("The tag {it} looks like a version and is none; it is ignored."));
        let strange = app.tags.iter().filter(|it| !used.contains(&Some(it))).filter_map(|it| {
            let header = it.header.as_ref().filter(|header| **header != it.name)?;
            Some(format!("The ref {} points to a tag object that calls itself {header}.", it.name))
        });
        ignored.chain(strange).collect()
    }
}
