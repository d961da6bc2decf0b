//! The built program itself: what it needs of the system that runs it.

/// A program header that names the loader of shared libraries (ELF, `PT_INTERP`).
const LOADER: u32 = 3;

#[test]
fn a_container_without_a_c_library_runs_it() {
    if !cfg!(static_libc) {
        assert!(std::env::var_os("TOMODA_REAL").is_none(), "TOMODA_REAL=1 needs the C library's archive, libc.a");
        println!("skipped: this program is not linked with its C library");
        return;
    }
    let program = std::fs::read(env!("CARGO_BIN_EXE_tomoda-release")).expect("the program");
    let headers = headers(&program);
    assert!(headers.len() > 3, "{headers:?}");
    assert!(!headers.contains(&LOADER), "it has to be loaded by another program: {headers:?}");
}

/// The types of all program headers of a 64-bit, little-endian ELF file.
fn headers(program: &[u8]) -> Vec<u32> {
    let number = |at: usize, bytes: usize| program[at..at + bytes].iter().rev().fold(0, |sum, it| sum << 8 | u64::from(*it));
    let place = |at, bytes| usize::try_from(number(at, bytes)).expect("a place in the file");
    assert_eq!(program[..6], *b"\x7fELF\x02\x01");
    let (first, size, count) = (place(0x20, 8), place(0x36, 2), place(0x38, 2));
    (0..count).map(|it| u32::try_from(number(first + it * size, 4)).expect("four bytes")).collect()
}
