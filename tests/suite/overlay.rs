//! (tests of overlay)
