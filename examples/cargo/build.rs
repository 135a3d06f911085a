// SPDX-License-Identifier: MIT
//! Takes vdso.rs from the folder $VDSO, or lets the scons or sconsw that $SCONS names make it from $BASE and $VDSO_WORDS.
use std::{env, fs, path::Path, process::Command};

fn main() {
    let (here, out) = (env::var("CARGO_MANIFEST_DIR").unwrap(), env::var("OUT_DIR").unwrap());
    let made = env::var("VDSO").unwrap_or_else(|_| make(&format!("{here}/../.."), format!("{out}/made")));
    fs::copy(format!("{made}/vdso.rs"), format!("{out}/vdso.rs")).unwrap_or_else(|error| panic!("{made}/vdso.rs: {error}"));
    println!("cargo:rustc-link-arg=-T{here}/../kernel-c/riscv64/kernel.lds");
    ["VDSO", "SCONS", "BASE", "VDSO_WORDS"].iter().for_each(|name| println!("cargo:rerun-if-env-changed={name}"));
    let files = [env::var("VDSO").map(|folder| folder + "/vdso.rs"), env::var("BASE"), Ok("../kernel-c/riscv64/kernel.lds".into())];
    let files = files.iter().flatten().filter(|file| Path::new(file).exists()); // BASE may be a word
    files.for_each(|file| println!("cargo:rerun-if-changed={file}"));
}

fn make(root: &str, out: String) -> String {
    let (base, words) = (env::var("BASE").unwrap_or("minimal".into()), env::var("VDSO_WORDS").unwrap_or_default());
    let mut command = Command::new(env::var("SCONS").expect("set VDSO to a folder with a vdso.rs, or SCONS to a scons"));
    command.args(["-C", root, "vdso", &format!("OUT={out}"), &format!("BASE={base}")]).args(words.split_whitespace());
    let status = command.env("PYTHONDONTWRITEBYTECODE", "1").status(); // cargo would take such files for a change
    assert!(status.is_ok_and(|status| status.success()), "{command:?} failed; its words stand above");
    for part in ["SConstruct", "site_scons", "templates", "vdso_src"] {
        println!("cargo:rerun-if-changed={root}/{part}");
    }
    out
}
