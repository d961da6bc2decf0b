//! A long life of one cache beside other writers: every order of fetches and pushes, on several branches, both depths.

use std::collections::BTreeMap;

use tomoda_release::io::git::{Expect, Pushed, Store};
use tomoda_release::model::{CommitId, RefName};

use super::{object, path, store, write};
use crate::support::git_server::GitServer;
use crate::support::repo::Bare;

const BRANCHES: [&str; 3] = ["main", "ledger", "side"];

/// Numbers that look random and can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

#[test]
fn whatever_the_order_the_cache_says_what_the_remote_says() {
    let seed = u64::from(std::process::id()) << 20 | 0x5eed;
    println!("seed {seed}");
    let mut dice = Dice(seed);
    for over_http in [true, false] {
        let bare = Bare::with(&[("a", "0\n")]);
        let server = GitServer::start(bare.root());
        for branch in BRANCHES {
            for round in 0..4 {
                bare.commit(branch, "before", &[("b", &format!("{branch} {round}\n"))]);
            }
        }
        let cache = tempfile::tempdir().unwrap();
        let url = if over_http { server.url() } else { bare.file_url() };
        let mut ours = store(&url, cache.path());
        let mut known = BTreeMap::new();
        for round in 0..60 {
            let branch = BRANCHES[dice.roll(BRANCHES.len())];
            let name = RefName::parse(&format!("refs/heads/{branch}")).unwrap();
            match dice.roll(5) {
                0 => {
                    bare.commit(branch, "theirs", &[("b", &format!("{round}\n"))]);
                }
                1 => ours = store(&url, cache.path()),
                2 => {
                    let tip = ours.fetch(&name, dice.roll(2) == 0).unwrap().unwrap();
                    assert_eq!(tip.as_str(), bare.tip(name.as_str()).unwrap());
                    assert_eq!(ours.cached(&name).as_ref(), Some(&tip), "round {round}");
                    known.insert(branch, tip);
                }
                _ => push(&bare, &ours, &name, branch, round, &mut known),
            }
        }
        for branch in BRANCHES {
            let name = RefName::parse(&format!("refs/heads/{branch}")).unwrap();
            let tip = ours.fetch(&name, false).unwrap().unwrap();
            let count: usize = bare.git(&["rev-list", "--count", branch]).parse().unwrap();
            assert_eq!(ours.history(&tip, &[], usize::MAX).unwrap().len(), count);
        }
        bare.git(&["fsck", "--strict"]);
    }
}

fn push(bare: &Bare, ours: &Store, name: &RefName, branch: &'static str, round: usize, known: &mut BTreeMap<&'static str, CommitId>) {
    let Some(tip) = known.get(branch).cloned() else { return };
    let stands = bare.tip(name.as_str()).unwrap();
    let next = write(ours, &tip, "a", &format!("{branch} {round}\n"));
    assert_eq!(ours.read(&next, &path("a")).unwrap().unwrap().bytes, format!("{branch} {round}\n").as_bytes());
    let pushed = ours.push(next.object(), name, &Expect::At(tip.object().clone())).unwrap();
    if stands == tip.as_str() {
        assert_eq!(pushed, Pushed::Landed, "round {round}");
        known.insert(branch, next);
    } else {
        assert_eq!(pushed, Pushed::Lost(Some(object(&stands))), "round {round}");
    }
}
