// SPDX-License-Identifier: MIT
//! Takes the vDSO of the kernel from the folder $VDSO, or lets scons-vdso make it from the base $BASE with the counter $COUNTER,
//! for pages of $PAGE_SIZE bytes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    for name in ["VDSO", "BASE", "COUNTER", "PAGE_SIZE", "OUT"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let module = match env::var_os("VDSO") {
        Some(folder) => {
            let module = PathBuf::from(folder).join("vdso.rs");
            println!("cargo:rerun-if-changed={}", module.display());
            module
        }
        None => scons_vdso(&here.join("../.."), &env::var_os("OUT").map_or(out.clone(), PathBuf::from).join("vdso")),
    };
    if let Err(error) = fs::copy(&module, out.join("vdso.rs")) {
        panic!("{}: {error}", module.display());
    }
    // Not every module has these: the one is there with COUNTER=mmio:OFFSET, the other where C libraries do not bring it.
    let text = fs::read_to_string(&module).unwrap();
    for (name, constant) in [("counter_page", "const COUNTER_OFFSET"), ("sigreturn", "const RT_SIGRETURN")] {
        println!("cargo:rustc-check-cfg=cfg({name})");
        if text.contains(constant) {
            println!("cargo:rustc-cfg={name}");
        }
    }
    let script = here.join("src").join(arch()).join("kernel.lds");
    println!("cargo:rerun-if-changed={}", script.display());
    println!("cargo:rustc-link-arg=-T{}", script.display());
}

/// Makes the vDSO in `out`, again if a source of scons-vdso has changed. Returns its module for Rust.
fn scons_vdso(root: &Path, out: &Path) -> PathBuf {
    for source in ["SConstruct", "site_scons", "vdso_src", "templates"] {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    let base = env::var("BASE").unwrap_or_else(|_| "minimal".into());
    let mut command = Command::new(root.join("sconsw"));
    command.args(["vdso", &format!("OUT={}", out.display()), &format!("BASE={base}"), &format!("ARCH={}", arch())]);
    for name in ["COUNTER", "PAGE_SIZE"] {
        command.args(env::var(name).map(|value| format!("{name}={value}")));
    }
    let status = command.status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?} failed; its words stand above");
    out.join("vdso.rs")
}

/// The architecture, whose folder has what is the machine's.
fn arch() -> String {
    env::var("CARGO_CFG_TARGET_ARCH").unwrap()
}
