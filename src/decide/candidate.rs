//! Which tag is new and allowed, and why the others are not.
