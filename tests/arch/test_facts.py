# SPDX-License-Identifier: MIT
"""What Python knows of an architecture is what its C in vdso_src says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from repository import SOURCES
from syscall_numbers import numbers
from vdso.arch import ARCHES, DEFAULT
from vdso.arch.arch import KEEP, REPLACE, Arch
from vdso.arch.effects import Trap

each = pytest.mark.parametrize("arch", ARCHES.values(), ids=ARCHES)
CLOCK = ("clock_gettime", "gettimeofday", "clock_getres")


def defined(path: Path) -> dict[str, str]:
    """Return name to value of the macros without arguments that a header defines."""
    text = path.read_text().replace("\\\n", "")
    return dict(re.findall(r"^#define (\w+)[ \t]+(.+?)(?:[ \t]*/\*.*)?$", text, re.M))


def number(arch: Arch, call: str) -> int:
    """Return the number of a system call, whose name may have a word of Linux's in front."""
    (found,) = (value for name, value in numbers(arch.name).items() if f"_{name}".endswith(f"_{call.upper()}"))
    return found


def test_the_default_is_one_of_them() -> None:
    assert ARCHES[DEFAULT.name] is DEFAULT


@each
def test_system_call_numbers_are_those_of_the_stubs(arch: Arch) -> None:
    assert arch.syscalls == {export: number(arch, export) for export in arch.syscalls}
    assert arch.no_return >= {number(arch, call) for call in ("exit", "exit_group")}
    assert arch.no_return == {number(arch, call) for call in ("exit", "exit_group", "rt_sigreturn")}


@each
def test_exports_are_called_the_same(arch: Arch) -> None:
    macros = defined(SOURCES / arch.name / "export.h")
    assert macros["VDSO_EXPORT_PREFIX"] == f'"{arch.export_prefix}"'
    asked = '#include "export.h"\nVDSO_EXPORT(getcpu)'
    command = ["cpp", "-P", "-I", SOURCES / arch.name, "-"]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == arch.export("getcpu")
    script = (SOURCES / arch.name / "minimal" / "vdso.lds").read_text()
    block = re.search(r"^\t(\w\S*) \{\n\tglobal:\n(.*?)\tlocal: \*;", script, re.M | re.S)
    assert block
    assert block[1] == arch.version
    assert {arch.short(name) for name in re.findall(r"(\w+);", block[2])} <= arch.policy.keys()


@each
def test_the_selftest_expects_the_same(arch: Arch) -> None:
    machine = defined(SOURCES / arch.name / "selftest" / "machine.h")
    assert int(machine["MACHINE_ELF"]) == arch.machine
    assert machine["MACHINE_VERSION"] == f'"{arch.version}"'
    assert (machine["MACHINE_COUNTER"], machine["MACHINE_CPU"]) == (f'"{arch.counter.read}"', f'"{arch.counter.cpu}"')
    code = int(machine["MACHINE_SIGRETURN_CODE"].rstrip("u"), 16)
    assert code.to_bytes(len(arch.sigreturn), "little") == arch.sigreturn
    others = re.findall(r'VDSO_EXPORT_PREFIX "(\w+)", VDSO_NR_(\w+)', machine.get("MACHINE_OTHERS", ""))
    assert {export for export, _ in others} == arch.syscalls.keys() - set(CLOCK)
    assert all(number(arch, call) == arch.syscalls[export] for export, call in others)


@each
def test_facts_agree_with_each_other(arch: Arch) -> None:
    assert arch.syscalls.keys() <= arch.policy.keys()
    assert {export for export, policy in arch.policy.items() if policy == REPLACE} <= {*CLOCK, "time"}
    assert bool(arch.sigreturn) == (arch.policy.get("rt_sigreturn") == KEEP)
    assert len(arch.trap) % arch.code_unit == 0
    assert arch.decode(arch.trap * 8, 0) in [(size, Trap()) for size in range(1, 9)]
    assert not {"", arch.zero_register} & arch.frame_registers
