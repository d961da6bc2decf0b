//! Randomness from the operating system.

/// Sixteen random bytes, as hex.
pub fn nonce() -> String {
    let mut bytes = [0_u8; 16];
    // An operating system without randomness cannot run this program's TLS either.
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}
