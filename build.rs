//! Links the program for Linux with glibc so that it starts quickly: at a fixed address, and with its own unwinder.
//!
//! A position-independent program begins by writing 49,000 addresses into 200 pages of its own data: half of everything
//! `--version` does. As Go's programs (kustomize, kubectl, argocd) do by default, this one stands at a fixed address
//! instead; its libraries, stack and heap stay where chance puts them. And libgcc_s, which Rust asks for the unwinding of
//! panics, asks the processor at length what it can do: dear on a virtual machine, and needless where the same unwinder
//! is linked in, as `gcc -static-libgcc` does.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "this is how a build script speaks and listens")]

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("OS") != "linux" || target("ENV") != "gnu" {
        return;
    }
    println!("cargo::rustc-link-arg-bin=tomoda-release=-no-pie");
    if linker_has("libgcc_eh.a") {
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Asks the linker; one that does not know the question links as usual.
fn linker_has(library: &str) -> bool {
    let linker = std::env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let Ok(said) = Command::new(linker).arg(format!("-print-file-name={library}")).output() else { return false };
    String::from_utf8(said.stdout).is_ok_and(|it| Path::new(it.trim()).is_absolute())
}
