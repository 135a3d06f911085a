// SPDX-License-Identifier: MIT
//! The vDSO of the kernel: ready-made from the folder $VDSO, or made here by scons-vdso from the base $BASE.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap());
    for name in ["VDSO", "BASE", "OUT"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let folder = match env::var_os("VDSO") {
        Some(folder) => PathBuf::from(folder),
        None => scons_vdso(&here.join("../..")),
    };
    let module = folder.join("vdso.rs");
    println!("cargo:rerun-if-changed={}", module.display());
    println!("cargo:rustc-env=VDSO_RS={}", module.display());
    println!("cargo:rerun-if-changed=kernel.ld");
    println!("cargo:rustc-link-arg=-T{}", here.join("kernel.ld").display());
}

/// Makes the vDSO; cargo asks again when a source of scons-vdso has changed.
fn scons_vdso(root: &Path) -> PathBuf {
    for source in ["SConstruct", "site_scons", "vdso_src", "templates"] {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    let out = env::var_os("OUT").or_else(|| env::var_os("OUT_DIR")).unwrap();
    let folder = PathBuf::from(out).join("vdso");
    let base = env::var("BASE").unwrap_or_else(|_| "minimal".into());
    let status = Command::new(root.join("sconsw"))
        .args(["vdso", &format!("OUT={}", folder.display()), &format!("BASE={base}")])
        .status();
    assert!(status.is_ok_and(|status| status.success()), "sconsw vdso BASE={base} failed; its words stand above");
    folder
}
