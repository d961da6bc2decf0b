//! Chance that can be repeated: the same seed, the same ids.

use std::sync::{Arc, Mutex, PoisonError};

/// A seeded source of numbers (splitmix64), shared by the whole world.
#[derive(Clone, Debug)]
pub struct Chance(Arc<Mutex<u64>>);

impl Chance {
    /// Starts at this seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed)))
    }

    /// The next number.
    pub fn number(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A version 4 UUID, as Google's services hand them out.
    pub fn uuid(&self) -> String {
        let (high, low) = (self.number(), self.number());
        let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0x0fff);
        let (d, e) = ((low >> 48) & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
        format!("{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (one, two, other) = (Chance::new(7), Chance::new(7), Chance::new(8));
        let id = one.uuid();
        assert_eq!(id, two.uuid());
        assert_ne!(id, other.uuid());
        assert_ne!(id, one.uuid());
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
    }
}
