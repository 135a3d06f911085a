# SPDX-License-Identifier: MIT
"""The linker script: GNU ld and lld make the same of it, without a word, whatever object files are called."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path

import pytest
from elf_builder import Spec
from elf_builder import build as build_base
from elftools.elf.elffile import ELFFile
from spliced import USERS, plan_of
from stub_build import CCFLAGS, PREFIX, compile_all
from vdso.errors import VdsoError
from vdso.place.linked import Linked, linker_script, read_linked
from vdso.place.plan import Plan
from vdso.stubs import toolchain

LINKERS = {"GNU ld": f"{PREFIX}ld", "lld": "ld.lld-19"}
FUNCTION = """static __attribute__((noipa)) long helper(long x) {{ return x * {factor}; }}
long __vdso_{name}(long x) {{ return helper(x) + {factor}; }}
"""


def linked(linker: str, plan: Plan, compiled: list[Path], folder: Path) -> Linked:
    """Link by the script of a plan; the linker must not say anything."""
    script, made = folder / "stubs.ld", folder / "stubs.elf"
    script.write_text(linker_script(plan))
    command = [LINKERS[linker], *toolchain.LDFLAGS, "-T", script, "-o", made, *compiled]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return read_linked("stubs.elf", made.read_bytes(), plan)


@pytest.mark.parametrize("page", ["after", "before"])
def test_two_linkers_make_the_same(page: str, tmp_path: Path) -> None:
    compiled = compile_all(tmp_path)
    plan = plan_of(build_base(Spec()), compiled, page)
    gnu, lld = (linked(linker, plan, compiled, tmp_path) for linker in LINKERS)
    assert gnu == lld
    assert [address for address, _ in gnu.units] == [unit.address for unit in plan.units]


@pytest.mark.parametrize("linker", LINKERS)
@pytest.mark.parametrize(
    "names",
    [
        ("a", f"{USERS}0_a"),
        (f"{USERS}1_a", "a"),
        ("two words", "two  words"),
        ("[a-z]*?", "(a)"),
        ('"quoted"', "a{b};c,d"),
        ("z\u00e4hler", "\u8ba1\u6570"),
        ("a:b", "c=d!e^f~g"),
    ],
    ids=ascii,
)
def test_each_unit_is_of_its_own_object_file(linker: str, names: tuple[str, str], tmp_path: Path) -> None:
    """Both files have a section `.text.helper`: taken from the wrong file, the functions would answer wrongly."""
    compiled = compile_all(tmp_path)
    helpers = {}
    for index, name in enumerate(names):
        source, made = tmp_path / f"given{index}.c", tmp_path / f"{USERS}{index}_{name}.o"
        source.write_text(FUNCTION.format(name="ab"[index], factor=(3, 5)[index]))
        subprocess.run([f"{PREFIX}gcc", *CCFLAGS, "-c", source, "-o", made], check=True)
        compiled.append(made)
        helpers[made.name] = ELFFile(io.BytesIO(made.read_bytes())).get_section_by_name(".text.helper").data()
    plan = plan_of(build_base(Spec()), compiled)
    for files in (compiled, compiled[::-1]):
        units = zip(plan.units, linked(linker, plan, files, tmp_path).units, strict=True)
        assert {unit.object: data for unit, (_, data) in units if ".text.helper" in unit.sections} == helpers


def test_what_is_no_output_of_ld(tmp_path: Path) -> None:
    compiled = compile_all(tmp_path)
    plan = plan_of(build_base(Spec()), compiled)
    linked("GNU ld", plan, compiled, tmp_path)
    made = (tmp_path / "stubs.elf").read_bytes()
    wrong = {
        b"no file of a linker": "not ELF",
        made.replace(b".vdso.0\0", b".got.0\0\0"): "ld made a section .got.0 at 0x",
        made.replace(b".vdso.0\0", b".vdso.x\0"): "ld made a section .vdso.x at 0x",
    }
    assert len(wrong) == 3
    for data, what in wrong.items():
        with pytest.raises(VdsoError, match=f"^stubs.elf: {what}"):
            read_linked("stubs.elf", data, plan)
    unit = plan.units[0]
    with pytest.raises(VdsoError, match=f"^stubs.elf: ld left {unit.sections[0]} of .* out, or put it elsewhere"):
        read_linked("stubs.elf", without_section(made, ".vdso.0"), plan)


def without_section(data: bytes, name: str) -> bytes:
    """Return an ELF file of which a section has no bytes."""
    elf, image = ELFFile(io.BytesIO(data)), bytearray(data)
    index = elf.get_section_index(name)
    struct.pack_into("<Q", image, elf["e_shoff"] + index * elf["e_shentsize"] + 32, 0)  # sh_size
    return bytes(image)
