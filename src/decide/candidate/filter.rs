//! Which tags of a listing are looked at.

use std::collections::BTreeMap;

use crate::model::{Listing, Newest, Policy, TaggedImage};

/// Names that move from image to image. They say what somebody called an image last, not which image it is.
const MOVING: [&str; 14] = [
    "latest",
    "dev",
    "develop",
    "development",
    "main",
    "master",
    "trunk",
    "edge",
    "nightly",
    "stable",
    "stage",
    "staging",
    "prod",
    "production",
];

/// The tags that passed, and why the others did not.
pub(super) struct Filtered<'a> {
    pub images: Vec<&'a TaggedImage>,
    pub losers: Vec<(String, String)>,
    /// Why nothing may be chosen at all.
    pub problem: Option<String>,
}

/// Applies everything that looks at one tag alone.
pub(super) fn filter<'a>(policy: &Policy, listing: &'a Listing) -> Filtered<'a> {
    let (unique, problem) = without_repetition(listing);
    let mut found = Filtered { images: Vec::new(), losers: Vec::new(), problem };
    let mut moving = Vec::new();
    for image in unique {
        let tag = image.tag.as_str();
        let unwanted = policy.pattern.as_ref().filter(|it| !it.regex().is_match(tag));
        match unwanted {
            Some(pattern) => found.losers.push((tag.to_owned(), format!("It does not match the pattern {}.", pattern.as_str()))),
            None if is_attachment(tag) => {
                found.losers.push((tag.to_owned(), "It is a signature, an attestation or an SBOM, not an image.".to_owned()));
            }
            None if policy.newest == Newest::Uploaded && is_moving(tag) => moving.push(tag),
            None => found.images.push(image),
        }
    }
    if found.images.is_empty() && !moving.is_empty() {
        found.problem.get_or_insert(format!(
            "Only moving tags are left ({}), and their upload time says nothing about the image: use a pattern that matches one tag per build.",
            super::list(moving.iter().copied())
        ));
    }
    found.losers.extend(moving.iter().map(|it| ((*it).to_owned(), "It is a moving tag: it names another image tomorrow.".to_owned())));
    found
}

/// Each tag once, in order. A registry that lists one tag with two contents cannot be believed.
fn without_repetition(listing: &Listing) -> (Vec<&TaggedImage>, Option<String>) {
    let mut unique: BTreeMap<&str, &TaggedImage> = BTreeMap::new();
    let mut problem = None;
    for image in &listing.tags {
        let first = unique.entry(image.tag.as_str()).or_insert(image);
        if *first != image {
            problem = Some(format!("The registry lists the tag {} twice, with different images.", image.tag));
        }
    }
    (unique.into_values().collect(), problem)
}

/// cosign's tags for what belongs to an image, and the referrers fallback of OCI 1.1.
fn is_attachment(tag: &str) -> bool {
    let suffixed = [".sig", ".att", ".sbom"].iter().any(|it| tag.ends_with(it));
    let digest = tag.strip_prefix("sha256-").is_some_and(|it| it.len() >= 64 && it.as_bytes()[..64].iter().all(u8::is_ascii_hexdigit));
    suffixed || digest
}

fn is_moving(tag: &str) -> bool {
    MOVING.iter().any(|it| tag.eq_ignore_ascii_case(it))
}
