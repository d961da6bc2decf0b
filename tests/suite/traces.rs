//! (tests of traces)
