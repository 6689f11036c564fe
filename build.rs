//! How the executable is linked.
//!
//! A program that may lie anywhere in memory lists every pointer in its data, 24 bytes each: 0.8 MB that each compiled
//! model would carry. Linked to lie at one address it needs no list. Libraries, stacks, weights and generated code still
//! lie anywhere; lists packed as a bitmap would be as small, but need a C library of 2022.
//!
//! Symbols are stripped by the linker: the profile's `strip` is lost where a package, as this one, has options of its own.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |key: &str| std::env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    if target("OS") == "linux" {
        println!("cargo::rustc-link-arg-bins=-Wl,--strip-all");
    }
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
