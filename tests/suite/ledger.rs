//! (tests of ledger)
