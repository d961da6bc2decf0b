//! (tests of version)
