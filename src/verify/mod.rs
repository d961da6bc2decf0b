//! Judges whether it worked. Pure.
