//! Following a listing from page to page, to its end or not at all.

use std::collections::BTreeSet;

use url::Url;

use super::{Place, Registry, listing::Tags, refusal};
use crate::error::{Error, Result};
use crate::io::http::{Request, shown};
use crate::model::Listing;

/// A repository with more pages than this is not listed.
const MOST_PAGES: usize = 1_000;

/// From this many on, Artifact Registry's listing leaves some out without saying so.
const GOOGLE_TRUNCATES: usize = 10_000;

impl Registry {
    /// All pages of a listing.
    pub(super) async fn pages(&self, place: &Place<'_>) -> Result<Listing> {
        // Google answers any number at once; others refuse to be asked for more than a thousand.
        let size = if place.is_google() { GOOGLE_TRUNCATES } else { 1_000 };
        let first = place.url(&format!("tags/list?n={size}"))?;
        let mut tags = Tags::default();
        let mut visited = BTreeSet::new();
        let mut next = Some(first.clone());
        while let Some(url) = next {
            if visited.len() == MOST_PAGES {
                return Err(Error::remote_final(format!("the listing has more than {MOST_PAGES} pages")));
            }
            if !visited.insert(url.to_string()) {
                return Err(Error::remote_final("the listing leads back to a page that was read already"));
            }
            let answer = self.ask(place, &Request::get(url.clone())).await?;
            if !answer.is_success() {
                return Err(refusal(place, &answer));
            }
            let new = tags.add(answer.json()?)?;
            next = answer.headers("link").find_map(next_link).map(|link| follow(&first, &url, link)).transpose()?;
            if next.is_some() && !new {
                return Err(Error::remote_final("the listing goes on to further pages, but they bring nothing new"));
            }
        }
        if place.is_google() && tags.largest() >= GOOGLE_TRUNCATES {
            return Err(Error::remote_final(format!(
                "it is possibly truncated: from {GOOGLE_TRUNCATES} tags or images on, Artifact Registry leaves some out without saying so"
            ))
            .hint("A cleanup policy keeps a repository below that."));
        }
        tags.listing(visited.len())
    }
}

/// The target of `<target>; rel="next"`.
fn next_link(header: &str) -> Option<&str> {
    header.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let next = parameters.split(';').any(|it| matches!(it.trim(), "rel=next" | "rel=\"next\""));
        next.then_some(target)
    })
}

/// The next page's address, if it is where our credentials may go.
fn follow(first: &Url, page: &Url, link: &str) -> Result<Url> {
    let next = page.join(link).map_err(|_| Error::remote_final("the listing's next page has an address that cannot be read"))?;
    if next.origin() != first.origin() {
        return Err(Error::remote_final(format!(
            "the listing goes on at {}, which is not the same server; nothing was sent there",
            shown(&next)
        )));
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_registries_write_it() {
        assert_eq!(next_link("</v2/x/tags/list?n=2&last=b>; rel=\"next\""), Some("/v2/x/tags/list?n=2&last=b"));
        assert_eq!(next_link("<https://r:5000/p>; foo=1; rel=next"), Some("https://r:5000/p"));
        assert_eq!(next_link("</first>; rel=\"first\", </p>; rel=\"next\""), Some("/p"));
        assert_eq!(next_link("</p>; rel=\"prev\""), None);
        assert_eq!(next_link("garbage"), None);
    }

    #[test]
    fn a_page_elsewhere_is_not_followed() {
        let first = Url::parse("https://r.example:5000/v2/x/tags/list").unwrap();
        assert!(follow(&first, &first, "/v2/x/tags/list?last=b").is_ok());
        assert!(follow(&first, &first, "https://r.example:5000/p").is_ok());
        for elsewhere in ["https://r.example/p", "http://r.example:5000/p", "https://evil.example:5000/p", "//evil.example/p"] {
            assert!(follow(&first, &first, elsewhere).is_err(), "{elsewhere}");
        }
    }
}
