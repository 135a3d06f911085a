# SPDX-License-Identifier: MIT
"""Compiles order_kernel.rs with a generated vdso.rs for riscv64, by the toolchain that builds the example kernel in Rust."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import kernel_builds
import pytest
from stub_build import PREFIX

MANIFEST = """\
[package]
name = "order_kernel"
version = "0.0.0"
edition = "2021"

[lib]
crate-type = ["staticlib"]

[profile.release]
panic = "abort"
codegen-units = 1
"""


def build_script() -> ModuleType:
    """Return examples/kernel-rust/build, a program without an ending, as a module."""
    path = kernel_builds.EXAMPLES / "kernel-rust" / "build"
    loader = importlib.machinery.SourceFileLoader("kernel_rust_build", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))  # type: ignore[arg-type]
    sys.modules[loader.name] = module  # dataclasses look their module up
    loader.exec_module(module)
    return module


def compile_rust(folder: Path, vdso_rs: Path) -> Path:
    """Return the updates of order_kernel.rs as an object file, made in `folder`."""
    script = build_script()
    toolchain = script.choose()
    if toolchain is None:
        pytest.skip(script.missing(script.DEFAULT))
    (folder / "src").mkdir()
    (folder / "Cargo.toml").write_text(MANIFEST)
    source = Path(__file__).with_name("order_kernel.rs")
    shutil.copy(source, folder / "src" / "lib.rs")
    shutil.copy(vdso_rs, folder / "src" / "vdso.rs")
    target = Path(os.environ.setdefault("CARGO_TARGET_DIR", str(kernel_builds.session_folder() / "cargo")))
    environ = {**os.environ, **toolchain.environment}
    command = [toolchain.cargo, "build", "--quiet", "--release", "--target", toolchain.target, *toolchain.words]
    subprocess.run(command, cwd=folder, env=environ, check=True)
    archive, made = target / toolchain.target / "release" / "liborder_kernel.a", folder / "order_kernel.o"
    functions = sorted(set(re.findall(r"\b(?:update|early|bare)_\w+", source.read_text())))
    wanted = [word for name in functions for word in ("-u", name)]  # and of `core` no more than they call
    subprocess.run([f"{PREFIX}ld", "-r", "--gc-sections", *wanted, "-o", made, archive], check=True)
    return made
