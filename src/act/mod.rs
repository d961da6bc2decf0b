//! Hands: one step, one write, and what the server said.
