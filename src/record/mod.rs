//! Memory: the ledger on its branch.
