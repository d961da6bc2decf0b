//! One HTTP client: time limits, size limits, retries, redaction.
