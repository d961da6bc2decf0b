//! (tests of registry)
