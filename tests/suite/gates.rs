//! (tests of gates)
