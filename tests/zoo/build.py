# SPDX-License-Identifier: MIT
"""Builds the vDSOs of a Linux tree: by one compiler, in one configuration, as Linux's own build does."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from .suites import Compiler, run_inside
from .trees import Tree

PLAIN = "vdso"
FOLDERS = {PLAIN: "vdso", "compat_vdso": "compat_vdso", "vdso_cfi": "vdso_cfi"}
"""What Linux calls a vDSO, and the folder below arch/riscv/kernel that it is built in. All but the first are no bases."""
CONFIGURATIONS = {
    "default": ("defconfig", ""),
    "small": ("tinyconfig", ""),
    "user CFI": ("defconfig", "CONFIG_RISCV_USER_CFI=y\n"),
}
"""The target that configures, and what is changed then."""


MAKE = ("LC_ALL=C", "make", "-s", "-C", "/tree", "O=/out", "ARCH=riscv", "CROSS_COMPILE=riscv64-linux-gnu-")


@dataclass(frozen=True, order=True)
class Recipe:
    """version: of the package that the tree is from."""

    version: str
    compiler: str
    configuration: str

    @property
    def name(self) -> str:
        return f"{self.version} {self.compiler} {self.configuration}"


@dataclass(frozen=True)
class Built:
    """kind: a name of FOLDERS. stripped: as a kernel maps it; else the file with symbols and debug sections."""

    kind: str
    stripped: bool
    data: bytes


def build(tree: Tree, compiler: Compiler, configuration: str, root: Path, out: Path) -> list[Built] | str:
    """Return the vDSOs, or why the tree's own build made none.

    root    the compilers of a suite
    out     a folder that goes on from the builds before, of the same tree in the same root
    """
    target, more = CONFIGURATIONS[configuration]
    if more.removeprefix("CONFIG_").partition("=")[0] not in (tree.folder / "arch" / "riscv" / "Kconfig").read_text():
        return f"this Linux has no {more.strip()}"
    kernel = out / "arch" / "riscv" / "kernel"
    for folder in FOLDERS.values():
        shutil.rmtree(kernel / folder, ignore_errors=True)
    make = (f"PATH=/usr/lib/llvm-{compiler.version}/bin:/usr/bin:/bin", *MAKE, *_tools(compiler))
    steps = [(target,)]
    if more:
        steps.append(("olddefconfig",))
    steps += [("arch/riscv/kernel/vdso/",)]
    for words in steps:
        if words == ("olddefconfig",):
            with (out / ".config").open("a") as config:
                config.write(more)
        done = run_inside(root, tree.folder, out, *make, *words)
        if done.returncode:
            return _reason(done.stderr)
    if more and more not in (out / ".config").read_text():
        return f"{more.strip()} is not for this compiler"
    for kind in ("compat_vdso", "vdso_cfi"):
        if (kernel / FOLDERS[kind]).exists():
            run_inside(root, tree.folder, out, *make, f"arch/riscv/kernel/{FOLDERS[kind]}/")
    found = [
        Built(kind, path.suffix == ".so", path.read_bytes())
        for kind, folder in FOLDERS.items()
        for path in sorted((kernel / folder).glob("*.so*"))
        if path.suffixes in ([".so"], [".so", ".dbg"])
    ]
    return found if any(each.kind == PLAIN for each in found) else "no vdso.so"


def _tools(compiler: Compiler) -> tuple[str, ...]:
    """Return what tells Linux's Makefile the compiler. GNU's assembler and linker are those of the suite."""
    return ("LLVM=1", "LLVM_IAS=1") if compiler.family == "clang" else (f"CC=riscv64-linux-gnu-{compiler.name}",)


def _reason(stderr: str) -> str:
    """Return the first line of a build's errors that says something."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip(" *")]
    told = [line for line in lines if "rror" in line or "***" in line]
    return (told or lines or ["make said nothing"])[0].strip("* ")[:160]
