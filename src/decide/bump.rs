//! The next version, from commits.
