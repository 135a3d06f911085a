# SPDX-License-Identifier: MIT
"""The SCons tool from its doors, and the traps of SCons that were met on the way."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from elf_builder import Spec
from elf_builder import build as build_base
from repository import ROOT
from scons_build import build, scons

OUTPUTS = ("vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json")
TREE = ("SConstruct", "SConscript", "site_scons", "vdso_src", "templates")
UP_TO_DATE = "scons: `vdso' is up to date.\n"


def contents(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in OUTPUTS}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("good"), "BASE=minimal")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of all that a build needs, to be changed."""
    for name in TREE:
        source = ROOT / name
        ignore = shutil.ignore_patterns("__pycache__")
        (shutil.copytree(source, tmp_path / name, ignore=ignore) if source.is_dir() else shutil.copy(source, tmp_path / name))
    return tmp_path


def run(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "SCons", "-Q", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def done_steps(printed: str) -> set[str]:
    return {line.split()[0] for line in printed.splitlines() if line.startswith("  ") and line.split()[0].isupper()}


def test_what_changes_is_made_anew_and_nothing_else(tree: Path) -> None:
    """Our own modules and templates count as sources; a run with nothing to do does nothing."""
    words = ("BASE=minimal", "vdso")
    assert done_steps(run(tree, *words)) == {"LD", "EXTRACT", "CC", "PLACE", "SPLICE", "EMIT"}
    assert run(tree, *words) == UP_TO_DATE
    module = tree / "site_scons" / "site_tools" / "vdso" / "place" / "placement.py"
    module.write_text(module.read_text() + "\n# another comment\n")
    # what PLACE makes comes out the same, so nothing is linked again
    assert {"EXTRACT", "PLACE", "SPLICE", "EMIT"} >= done_steps(run(tree, *words)) >= {"PLACE"}
    assert run(tree, *words) == UP_TO_DATE
    header = tree / "vdso_src" / "vdso_data.h"
    header.write_text(header.read_text().replace("for more state", "for yet more state"))
    assert {"CC", "EMIT"} <= done_steps(run(tree, *words))
    assert "for yet more state" in (tree / "build" / "vdso.h").read_text()
    fence = tree / "vdso_src" / "riscv64" / "fence.h"
    fence.write_text(fence.read_text().replace("two of the reader", "two of any reader"))
    assert {"CC", "EMIT"} <= done_steps(run(tree, *words))
    assert "two of any reader" in (tree / "build" / "vdso.h").read_text()
    numbers = tree / "vdso_src" / "generic_numbers.h"
    numbers.write_text(numbers.read_text().replace("VDSO_NR_GETCPU 168", "VDSO_NR_GETCPU 167"))
    assert {"CC", "LD", "EMIT"} <= done_steps(run(tree, *words)), "minimal, which has the number too, lies here ready made"
    template = tree / "templates" / "vdso.h.j2"
    template.write_text(template.read_text().replace("do not edit", "do never edit"))
    run(tree, *words)
    assert "do never edit" in (tree / "build" / "vdso.h").read_text()
    assert done_steps(run(tree, *words, "LOAD_ADDR=0x400000000")) == {"EMIT"}
    assert done_steps(run(tree, *words, "LOAD_ADDR=0x400000000", "POLICY=getcpu:hide")) >= {"PLACE", "SPLICE", "EMIT"}
    assert "VDSO_SYM_GETCPU" not in (tree / "build" / "vdso.h").read_text()


def test_the_base_follows_its_file(tmp_path: Path) -> None:
    file = tmp_path / "given.so"
    file.write_bytes(build_base(Spec()))
    out = build(tmp_path / "out", f"BASE={file}")
    first = contents(out)
    file.write_bytes(build_base(Spec(hashes=("gnu",))))
    build(out, f"BASE={file}")
    assert contents(out) != first
    file.write_bytes(build_base(Spec()))
    build(out, f"BASE={file}")
    assert contents(out) == first


def test_a_failure_leaves_no_false_memory(tmp_path: Path) -> None:
    """The build after a failed one, with the earlier input, is right, and nothing was lost meanwhile."""
    file = tmp_path / "given.so"
    file.write_bytes(build_base(Spec()))
    out = build(tmp_path / "out", f"BASE={file}")
    first = contents(out)
    file.write_bytes(build_base(Spec())[:0x300])
    assert scons("vdso", f"OUT={out}", f"BASE={file}").returncode == 2
    assert contents(out) == first
    file.write_bytes(build_base(Spec()))
    build(out, f"BASE={file}")
    assert contents(out) == first


def test_a_killed_build_is_not_believed(good: Path, tmp_path: Path) -> None:
    """A kill leaves outputs of new settings, and the database of SCons that speaks of those before."""
    out = tmp_path / "out"
    build(out, "BASE=minimal")
    right = contents(out)
    memory = (out / ".sconsign.dblite").read_bytes()
    build(out, "BASE=minimal", "LOAD_ADDR=0x500000000")
    (out / ".sconsign.dblite").write_bytes(memory)
    (out / ".building").touch()
    build(out, "BASE=minimal")
    assert contents(out) == right == contents(good)
    assert not (out / ".building").exists()


def test_bytes_do_not_depend_on_where_and_how(good: Path, tmp_path: Path) -> None:
    """The folder has a space and letters beyond ASCII in its name."""
    out = tmp_path / "ein Ördner" / "出力"
    assert contents(build(out, "BASE=minimal", "-j4")) == contents(good)
    done = scons("vdso", "OUT=beside", "BASE=minimal", cwd=tmp_path, PYTHONHASHSEED="7", TZ="Asia/Tokyo", LANG="C")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "beside") == contents(good)


def test_paths_are_relative_to_where_the_user_stands(tmp_path: Path) -> None:
    (tmp_path / "given.so").write_bytes(build_base(Spec()))
    (tmp_path / "mine.c").write_text("long __vdso_getcpu(void) { return 7; }\n")
    done = scons("vdso", "OUT=made/here", "BASE=given.so", "EXTRA_SRC=mine.c", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "replace  getcpu" in done.stdout
    assert (tmp_path / "made" / "here" / "vdso.so").exists()
    assert scons("check", "IMAGE=made/here/vdso.so", "OUT=made/here", "BASE=given.so", cwd=tmp_path).returncode == 0


def test_nothing_to_do_imports_nothing_large(good: Path) -> None:
    done = scons("vdso", f"OUT={good}", "BASE=minimal", PYTHONPROFILEIMPORTTIME="1")  # which programs it starts inherit
    assert done.stdout == UP_TO_DATE
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "vdso.variables" in imported
    assert not imported & {"lief", OF_LIEFS_PROCESS, "elftools", "capstone", "jinja2", "zstandard", "debian", "vdso.steps"}


def imports(*words: str) -> set[str]:
    """Return what a build, and each Python that it starts, imports."""
    done = scons(*words, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0, done.stderr
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


OF_LIEFS_PROCESS = "resource"
"""The module that nobody but LIEF's process imports, at its start: a short command ends before LIEF is imported."""


def test_liefs_process_is_started_only_for_an_image(good: Path, tmp_path: Path) -> None:
    base = f"BASE={good / 'base.so'}"
    assert OF_LIEFS_PROCESS not in imports("info", base, f"OUT={tmp_path / 'info'}")
    assert OF_LIEFS_PROCESS not in imports("info", "BASE=minimal", f"OUT={tmp_path / 'minimal'}")
    assert OF_LIEFS_PROCESS not in imports("check", f"IMAGE={good / 'vdso.so'}", f"OUT={tmp_path / 'check'}")
    assert OF_LIEFS_PROCESS not in imports("selftest", base, f"OUT={tmp_path / 'selftest'}")
    assert {OF_LIEFS_PROCESS, "lief"} <= imports("vdso", base, f"OUT={tmp_path / 'vdso'}")


def test_scons_says_little_of_itself(tmp_path: Path) -> None:
    """Once SConstruct runs, it is as with the option -Q, which users do not know."""
    words = ("vdso", f"OUT={build(tmp_path / 'out', 'BASE=minimal')}", "BASE=minimal")
    plain = subprocess.run([sys.executable, "-m", "SCons", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert plain.stdout == "scons: Reading SConscript files ...\nscons: `vdso' is up to date.\n"
    assert plain.stderr == ""


def test_clean_dry_run_and_verbose(tmp_path: Path) -> None:
    out = tmp_path / "out"
    dry = scons("-n", "vdso", f"OUT={out}", "BASE=minimal")
    assert dry.returncode == 0
    assert not out.exists() or not any(out.iterdir())
    build(out, "BASE=minimal")
    assert scons("-c", "vdso", f"OUT={out}", "BASE=minimal").returncode == 0
    assert not any((out / name).exists() for name in OUTPUTS)
    loud = scons("vdso", f"OUT={out}", "BASE=minimal", "V=1").stdout
    assert "riscv64-linux-gnu-gcc -std=gnu11" in loud
    assert "riscv64-linux-gnu-ld --build-id=none" in loud


def test_check_and_info(good: Path, tmp_path: Path) -> None:
    linux = tmp_path / "linux.so"
    linux.write_bytes(build_base(Spec()))
    ours = scons("check", f"IMAGE={good / 'vdso.so'}", f"OUT={tmp_path}", "BASE=minimal")
    assert (ours.returncode, "0 findings" in ours.stdout) == (0, True)
    theirs = scons("check", f"IMAGE={linux}", f"OUT={tmp_path}", "BASE=minimal")
    assert theirs.returncode == 2
    assert "-0x4000 to -0x3000; DATA=before:4 says that it does" in theirs.stdout
    told = scons("check", f"IMAGE={linux}", f"OUT={tmp_path}", "DATA=before:4")
    assert "it reads pages of the kernel at -0x4000 to -0x3000" in told.stdout
    # without a compiler
    shown = scons("info", f"BASE={linux}", f"OUT={tmp_path / 'out'}", "CROSS_COMPILE=absent-")
    assert shown.returncode == 0, shown.stderr
    for word in ("vDSO of Linux 6.12.117", "LOAD", "DT_GNU_HASH", "__vdso_getcpu: none", "-0x4000"):
        assert word in shown.stdout


KERNEL = """
DefaultEnvironment(tools=[])
env = Environment(tools=["default", "vdso"], toolpath=[{tools!r}], CCFLAGS="-DHOSTILE -fpic -O0 -g", CPPPATH=["wrong"],
                  CC="false", LINKFLAGS="-nonsense")
for name, page in (("one", "after"), ("two", "before")):
    made = env.Vdso(name, "minimal", VDSO_DATA_PAGE=page, VDSO_LOAD_ADDR=0x300000000)
    print(name, *[node.name for node in made])
only = env.VdsoBase("only/base.so", "minimal")
fetched = env.VdsoBase("fetched/base.so", "debian")
print("fetched depends on", fetched[0].depends, "kept", bool(fetched[0].noclean))
Default("one", "two", "only")
"""


def test_the_tool_in_a_kernel_of_ones_own(good: Path, tmp_path: Path) -> None:
    """Defaults come with the tool; one build makes two blobs; no flag leaks in; `-c` keeps a fetched base."""
    tools = str(ROOT / "site_scons" / "site_tools")
    (tmp_path / "SConstruct").write_text(KERNEL.format(tools=tools))
    printed = run(tmp_path)
    assert "one vdso.so vdso.h vdso.rs vdso.S vdso.json" in printed
    assert "fetched depends on [] kept True" in printed
    assert contents(tmp_path / "one") == contents(good)
    assert contents(tmp_path / "two") != contents(good)
    assert (tmp_path / "only" / "base.so").read_bytes() == (good / "base.so").read_bytes()
    assert run(tmp_path).splitlines()[-1].endswith("up to date.")


VARIANTS = """
DefaultEnvironment(tools=[])
env = Environment(tools=["vdso"], toolpath=[{tools!r}])
def variant(name, **more):
    return env.Vdso(name, "minimal", **more)
variant("one"); variant("two", VDSO_LOAD_ADDR="0x400000000"); variant("before", VDSO_DATA_PAGE="before")
variant("none", VDSO_DATA_PAGE="none", VDSO_TIMEBASE_HZ="10000000")
"""


def test_blobs_with_the_same_flags_share_their_objects(good: Path, tmp_path: Path) -> None:
    """Other flags, other objects; and the bytes are those of a blob that was made alone."""
    tools = str(ROOT / "site_scons" / "site_tools")
    (tmp_path / "SConstruct").write_text(VARIANTS.format(tools=tools))
    printed = run(tmp_path, "-j4")
    compiled = [line.split()[1] for line in printed.splitlines() if line.startswith("  CC ")]
    assert {Path(path).parts[-3] for path in compiled} == {"one", "none"}
    assert len(compiled) == 2 * len(list((tmp_path / "one" / "work").glob("*.o")))
    assert contents(tmp_path / "one") == contents(good)
    alone = build(tmp_path / "alone", "BASE=minimal", "DATA_PAGE=before")
    assert contents(tmp_path / "before") == contents(alone)
    assert run(tmp_path).splitlines()[-1].endswith("up to date.")


def test_the_sconscript_in_a_kernel_of_ones_own(good: Path, tmp_path: Path) -> None:
    (tmp_path / "third_party").mkdir()
    (tmp_path / "third_party" / "scons-vdso").symlink_to(ROOT)
    (tmp_path / "SConstruct").write_text(
        'DefaultEnvironment(tools=[])\nenv = Environment(VDSO_OUT=Dir("made"), VDSO_BASE="minimal")\n'
        'made = SConscript("third_party/scons-vdso/SConscript", exports="env")\nprint(*[n.name for n in made])\n'
    )
    assert "vdso.so vdso.h vdso.rs vdso.S vdso.json" in run(tmp_path, "made")
    assert contents(tmp_path / "made") == contents(good)
