//! Links the program for Linux with glibc so that it starts quickly and runs anywhere: at a fixed address and, where the
//! C library can be linked in, without any other file.
//!
//! A position-independent program begins by writing 49,000 addresses into 200 pages of its own data: half of everything
//! `--version` does; looking up its C library's names is a good part of the rest. As Go's programs (kustomize, kubectl,
//! argocd) do by default, this one stands at a fixed address and brings what it needs; its stack and heap stay where
//! chance puts them. A container without a C library, or with an older one, runs it all the same.
//!
//! A file that was written through a memory map stays in the kernel's cache as single small pages, and starting it maps each of
//! them for itself: up to twice as slow as a copy of the same file, until it is read from the disk again. So the linker is asked
//! to write it in one piece, where it knows how.
//!
//! Rust's own switch for a static C library, `crt-static`, cannot be had without `--target`: cargo would give it to the macros too,
//! which have to be shared libraries. So the linker is told: where it would look for the shared C library, it finds a
//! page that names the other one.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "this is how a build script speaks and listens")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The shared libraries that Rust asks for, and what the linker reads instead. The unwinder of panics is libgcc_eh.
const INSTEAD: [(&str, &str); 3] = [
    ("libc.so", "GROUP(libc.a libgcc_eh.a libgcc.a)"),
    ("libm.so", "INPUT(libm.a)"),
    ("libgcc_s.so", "GROUP(libgcc_eh.a libgcc.a libc.a)"),
];

/// Resolves names over DNS. Before glibc 2.34 this was a plugin of the running system, even of a program linked whole.
const OWN_RESOLVER: &[u8] = b"_nss_dns_gethostbyname4_r";

/// An argument of LLVM's linker.
const IN_ONE_PIECE: &str = "-Wl,--no-mmap-output-file";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(static_libc)");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("OS") != "linux" || target("ENV") != "gnu" {
        return;
    }
    if target("FEATURE").split(',').any(|it| it == "crt-static") {
        println!("cargo::rustc-cfg=static_libc");
        return;
    }
    println!("cargo::rustc-link-arg-bin=tomoda-release=-no-pie");
    if linker_takes(IN_ONE_PIECE) {
        println!("cargo::rustc-link-arg-bin=tomoda-release={IN_ONE_PIECE}");
    }
    if has_resolver() && ["libm.a", "libgcc_eh.a", "libgcc.a"].into_iter().all(|it| library(it).is_some()) {
        link_statically();
    }
}

fn has_resolver() -> bool {
    let libc = library("libc.a").and_then(|it| std::fs::read(it).ok()).unwrap_or_default();
    libc.windows(OWN_RESOLVER.len()).any(|it| it == OWN_RESOLVER)
}

/// Links an empty program with it, by the linker that cargo would use.
fn linker_takes(argument: &str) -> bool {
    let text = |name: &str| std::env::var(name).unwrap_or_default();
    let (source, program) = (generated().join("empty.rs"), generated().join("empty"));
    let mut rustc = Command::new(text("RUSTC"));
    rustc.args(["--target", &text("TARGET"), &format!("-Clink-arg={argument}")]);
    rustc.args(std::env::var("RUSTC_LINKER").map(|it| format!("-Clinker={it}")));
    rustc.args(text("CARGO_ENCODED_RUSTFLAGS").split('\x1f').filter(|it| !it.is_empty()));
    rustc.arg("-o").arg(program).arg(&source);
    std::fs::write(&source, "fn main() {}").is_ok() && rustc.output().is_ok_and(|it| it.status.success())
}

/// Cargo's folder for what is generated.
fn generated() -> PathBuf {
    PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo names the folder"))
}

fn link_statically() {
    let pages = generated();
    for (shared, page) in INSTEAD {
        std::fs::write(pages.join(shared), page).expect("cargo's folder can be written");
    }
    println!("cargo::rustc-link-arg-bin=tomoda-release=-static");
    println!("cargo::rustc-link-arg-bin=tomoda-release=-L{}", pages.display());
    println!("cargo::rustc-cfg=static_libc");
}

/// Where the linker has a library. One that does not know the question has none.
fn library(name: &str) -> Option<PathBuf> {
    let linker = std::env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let said = Command::new(linker).arg(format!("-print-file-name={name}")).output().ok()?;
    let path = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
    Path::new(&path).is_absolute().then_some(path)
}
