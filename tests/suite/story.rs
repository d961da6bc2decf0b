//! (tests of story)
