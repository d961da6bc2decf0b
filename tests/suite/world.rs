//! (tests of world)
