//! (tests of resume)
