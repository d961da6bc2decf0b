//! `newest: uploaded`: what the registry received last. The time inside the image does not count: reproducible builds set it to 1970.

use jiff::Timestamp;

use super::{Order, Ranked, Relation, Unranked, any_of, list};
use crate::model::{Listing, TaggedImage};

/// Upload times.
pub(super) struct Uploads<'a> {
    listing: &'a Listing,
}

impl<'a> Uploads<'a> {
    pub(super) fn new(listing: &'a Listing) -> Self {
        Self { listing }
    }
}

impl Order for Uploads<'_> {
    type Rank = Timestamp;

    fn rank(&self, image: &TaggedImage) -> Result<Timestamp, Unranked> {
        image.uploaded.ok_or_else(|| {
            Unranked::Missing(format!("The registry does not say when {} was uploaded, so the newest cannot be told.", image.tag))
        })
    }

    fn rank_current(&self, tag: &str) -> Result<Timestamp, String> {
        let listed = self.listing.tags.iter().find(|it| it.tag.as_str() == tag);
        let image = listed.ok_or_else(|| "the registry does not list it any more, so its upload time is not known.".to_owned())?;
        image.uploaded.ok_or_else(|| "the registry does not say when it was uploaded.".to_owned())
    }

    fn relations(&self, to: &Timestamp) -> impl Fn(&Timestamp) -> Relation {
        move |it| it.cmp(to).into()
    }

    fn newest<'a>(&self, among: &[Ranked<'a, Timestamp>]) -> Result<Ranked<'a, Timestamp>, String> {
        let last = among.iter().map(|it| it.rank).max();
        let tied: Vec<_> = among.iter().filter(|it| Some(it.rank) == last).cloned().collect();
        any_of(&tied).map_err(|()| {
            let tags = list(tied.iter().map(|it| it.image.tag.as_str()));
            format!("{tags} are different images uploaded at the same time; which is newer cannot be told.")
        })
    }

    fn describe(&self, rank: &Timestamp) -> String {
        format!("uploaded {rank}")
    }
}
