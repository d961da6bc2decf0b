//! (tests of selection)
