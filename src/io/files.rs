//! Files: read with a bound, replaced whole or not at all.
