// SPDX-License-Identifier: MIT
//! Takes vdso.rs from the folder $VDSO, or makes it from $BASE and $VDSO_WORDS with the scons that $SCONS names, else with sconsw.
use std::{env, fs, path::Path, process::Command};

/// The checkout of scons-vdso, from the folder of Cargo.toml; in a kernel of your own perhaps third_party/scons-vdso.
const CHECKOUT: &str = "../..";

fn main() -> Result<(), String> {
    let [here, out] = ["CARGO_MANIFEST_DIR", "OUT_DIR"].map(|name| env::var(name).unwrap_or_default());
    let script = format!("{here}/../kernel-c/riscv64/kernel.lds");
    println!("cargo:rustc-link-arg=-T{script}\ncargo:rerun-if-changed={script}");
    ["VDSO", "SCONS", "BASE", "VDSO_WORDS"].iter().for_each(|name| println!("cargo:rerun-if-env-changed={name}"));
    let files = [env::var("VDSO").map(|folder| folder + "/vdso.rs"), env::var("BASE")];
    let files = files.iter().flatten().filter(|file| Path::new(file).exists()); // BASE may be a word
    files.for_each(|file| println!("cargo:rerun-if-changed={file}"));
    let made = env::var("VDSO").or_else(|_| make(&format!("{here}/{CHECKOUT}"), format!("{out}/made")))?;
    fs::copy(format!("{made}/vdso.rs"), format!("{out}/vdso.rs")).map(drop).map_err(|error| format!("{made}/vdso.rs: {error}"))
}

fn make(root: &str, out: String) -> Result<String, String> {
    let (base, words) = (env::var("BASE").unwrap_or("minimal".into()), env::var("VDSO_WORDS").unwrap_or_default());
    let mut command = Command::new(env::var("SCONS").unwrap_or(format!("{root}/sconsw")));
    command.args(["-C", root, "vdso", &format!("OUT={out}"), &format!("BASE={base}")]).args(words.split_whitespace());
    let status = command.env("PYTHONDONTWRITEBYTECODE", "1").status(); // cargo would take such files for a change
    let status = status.map_err(|error| format!("{command:?}: {error}; set CHECKOUT in build.rs, or VDSO or SCONS"))?;
    ["SConstruct", "site_scons", "templates", "vdso_src"].iter().for_each(|it| println!("cargo:rerun-if-changed={root}/{it}"));
    status.success().then_some(out).ok_or(format!("{command:?}: {status}; its words stand above"))
}
