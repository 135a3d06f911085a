# SPDX-License-Identifier: MIT
"""An architecture is the folders of its name: no other source of the product speaks of it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest
from machines import MACHINES
from repository import ROOT
from vdso.arch import ARCHES

PRODUCT = ("site_scons", "vdso_src", "templates", "SConstruct", "SConscript", "sconsw")
EXAMPLES = (
    "examples/demo.c",
    "examples/demo.py",
    "examples/native.py",
    "examples/qemu.py",
    "examples/kernel-c/*.c",
    "examples/kernel-c/*.h",
    "examples/kernel-rust/src/*.rs",
    "examples/launcher/launcher.c",
    "examples/machines/fw_cfg.py",
    "examples/machines/machine.py",
)
WORDS = {
    "riscv64": r"riscv|risc-v|rdtime(?![.lh])|scounteren|mcounteren|ecall|auipc|lpad|zimop|sscratch|harts?(?![a-z])",
    "aarch64": r"aarch64|arm64|cntvct|cntkctl|cntfrq|tpidr|ttbr|svc\b|isb\b|d[ms]b\b|psci|pl011",
    "x86_64": r"x86|amd64|rdtsc|[lm]fence\b|cr4|endbr|tsc\b|r[abcd]x\b|r[sb]p\b|syscall_64",
    "loongarch64": r"loong|rdtime\.d|drdtl|cpucfg|dbar|iocsr|pcalau|pcadd|lddir|ldpte",
}
"""What only one architecture says, as a pattern of words or of how they begin."""
COMMON = "__vdso_|__kernel_"
"""What several say, but not all: how names of exports begin."""
FOLDERS = (
    "site_scons/site_tools/vdso/arch/{}",
    "templates/{}",
    "tests/arch/{}",
    "vdso_src/{}",
    "vdso_src/{}/minimal",
    "vdso_src/{}/selftest",
    "examples/kernel-c/{}",
    "examples/kernel-rust/src/{}",
    "examples/launcher/{}",
    "examples/machines/{}",
)
"""What each architecture has."""
LISTS = {
    "examples/kernel-rust/src/main.rs": r"#\[cfg_attr\(target_arch = .*",
    "site_scons/site_tools/vdso/arch/__init__.py": r"from \.\w+\.facts import \w+|\((?:[A-Z]\w+(?:, )?)+\)|DEFAULT = RISCV64",
    "site_scons/site_tools/vdso/extract/dump_vdso.py": r"MACHINES = \{.*\}",
}
"""Lists of architectures, and which: a source to where in it they stand."""
RULES = "site_scons/site_tools/vdso/verify/rules/"
CITED = re.compile(r"[\w.*-]+(?:/[\w.*-]+)+/?|[\w-]+\.(?:c|h|s|go)\b")
"""A source file of Linux or of a C library. A rule has the one that it is from beside it."""


def words(name: str, text: str) -> list[str]:
    """Return `name:line: word` for each word of an architecture in a source that is in none of its folders."""
    if name.startswith(RULES):
        text = CITED.sub("", text)
    if name in LISTS:
        text = re.sub(LISTS[name], "", text)
    found = []
    folders = PurePosixPath(name).parts[:-1]
    patterns = [pattern for arch, pattern in WORDS.items() if arch not in folders]
    for pattern in patterns + ([] if WORDS.keys() & set(folders) else [COMMON]):
        for number, line in enumerate((name, *text.splitlines())):
            found += [f"{name}:{number}: {word}" for word in re.findall(rf"(?<![a-z])(?:{pattern})", line, re.IGNORECASE)]
    return found


def tracked(*folders: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of each source of ours there. The base that is ready made is none."""
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.endswith(".so"):
            yield name, (ROOT / name).read_text()


def test_each_architecture_has_its_words() -> None:
    assert WORDS.keys() == ARCHES.keys()


@pytest.mark.parametrize("arch", ARCHES)
def test_each_architecture_has_its_folders(arch: str) -> None:
    folders = [folder.format(arch) for folder in FOLDERS]
    assert [folder for folder in folders if not any((ROOT / folder).iterdir())] == []
    assert arch in MACHINES


def test_no_other_source_speaks_of_one() -> None:
    sources = dict(tracked(*PRODUCT, *EXAMPLES))
    assert len(sources) > 100
    assert [word for name, text in sources.items() for word in words(name, text)] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sconsw", 'qemu = "qemu-riscv64"'),
        ("examples/kernel-c/thread.c", "csr_write(sscratch, 0);"),
        ("sconsw", "LIB = Path('/usr/riscv64-linux-gnu/lib')"),
        ("templates/vdso.h.j2", "set scounteren.TM"),
        ("riscv.h", ""),
        ("vdso_src/vdso_data.h", "#ifdef __riscv"),
        ("vdso_src/vdso_data.h", "/* on each hart */"),
        ("vdso_src/vdso_data.h", "/* of all harts, */"),
        ("vdso_src/vdso_data.h", "vdso_riscv_fence();"),
        ("vdso_src/syscalls.c", "long __vdso_time(void)"),
        ("vdso_src/syscalls.c", "/* arch/riscv/include/uapi/asm/unistd.h */"),
        ("aarch64/counter.h", "rdtime"),
        ("vdso_src/loongarch64/counter.h", "/* like rdtime */"),
        ("vdso_src/riscv64/counter.h", "rdtime.d"),
        ("vdso_src/vdso_data.h", 'asm("dbar 0");'),
        ("aarch64/facts.py", "frequency='CPUCFG'"),
        ("templates/vdso.rs.j2", '{% if image.arch == "loongarch64" %}'),
        ("site_scons/site_tools/vdso/image/analysis.py", "if arch is RISCV64:"),
        ("site_scons/site_tools/vdso/arch/__init__.py", "if name == 'riscv64':"),
        (RULES + "code.py", "RISC-V psABI"),
        (RULES + "code.py", '"""Linux arch/riscv/kernel/signal.c: ecall is what it says."""'),
    ],
)
def test_a_word_is_found_wherever_it_stands(name: str, text: str) -> None:
    assert len(words(name, text)) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("vdso_src/riscv64/counter.h", "rdtime, of arch/riscv"),
        ("vdso_src/riscv64/selftest/start.S", "ecall"),
        ("vdso_src/loongarch64/counter.h", "rdtime.d, of arch/loongarch; __vdso_time"),
        (RULES + "code.py", '"""Linux arch/riscv/kernel/signal.c; Go vdso_linux_riscv64.go."""'),
        ("site_scons/site_tools/vdso/arch/__init__.py", "from .riscv64.facts import RISCV64"),
        ("vdso_src/read.h", "how the charts of a vdso_data are recalled: recall"),
    ],
)
def test_what_is_allowed_is_not_found(name: str, text: str) -> None:
    assert words(name, text) == []
