# SPDX-License-Identifier: MIT
"""env.Vdso in the SCons builds of others: variant directories, SCons's own options, foreign settings, docs/scons.md."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from elf_builder import Spec
from elf_builder import build as build_base
from repository import ROOT, SOURCE_FOLDERS
from vdso import variables

OUTPUTS = ("vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json")
OBJECTS = sum(len(list(folder.glob("*.c"))) for folder in SOURCE_FOLDERS) + 1
"""All of ours, and one of the user's."""
LATER = ["PLACE", "LD", "SPLICE", "EMIT"]
STEPS = ["EXTRACT", *["CC"] * OBJECTS, *LATER]
TWO_VARIANTS = [*STEPS, "EXTRACT", "CC", *LATER]
"""Our own objects are shared by blobs with the same flags."""
DOCUMENT = (ROOT / "docs" / "scons.md").read_text()

TOP = f"""
DefaultEnvironment(tools=[])
env = Environment(tools=["vdso"], toolpath=[{str(ROOT / "site_scons" / "site_tools")!r}])
"""
VARIANTS = """
for name in ("copied", "in place"):
    SConscript("src/SConscript", variant_dir="out, ü/" + name, duplicate=name == "copied", exports="env")
"""
VARIANT = """
Import("env")
Default(env.Vdso("blob", "base.so", VDSO_EXTRA_SRC=["mine.c"]))
"""
MINE = '#include "seven.h"\nlong __vdso_getcpu(void) { return SEVEN; }\n'


def scons(folder: Path, *words: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "SCons", "-Q", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def steps(printed: str, under: str = "") -> list[str]:
    """Return the steps that ran for a target whose path has `under` in it, in their order."""
    return re.findall(rf"^  ([A-Z]+) +.*{re.escape(under)}", printed, re.M)


def files(folder: Path) -> dict[str, bytes]:
    """Return all files but SCons's database, which SCons writes also with -n."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != ".sconsign.dblite")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def contents(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in OUTPUTS}


def project(folder: Path, sconstruct: str) -> Path:
    """Make a kernel's folder with a space and other letters in its path; base and a stub of its own lie in src/."""
    folder = folder / "ein Kérnel"
    (folder / "src").mkdir(parents=True)
    (folder / "SConstruct").write_text(TOP + sconstruct)
    (folder / "src" / "base.so").write_bytes(build_base(Spec()))
    (folder / "src" / "mine.c").write_text(MINE)
    (folder / "src" / "seven.h").write_text("#define SEVEN 7\n")
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the outputs of a build of the same without any variant directory."""
    folder = project(tmp_path_factory.mktemp("plain"), 'env.Vdso("blob", "src/base.so", VDSO_EXTRA_SRC="src/mine.c")\n')
    assert steps(scons(folder, "blob", "-j8")) == STEPS
    return contents(folder / "blob")


def test_variant_directories(tmp_path: Path, plain: dict[str, bytes]) -> None:
    """With and without copies of the sources, both in one build: from nothing, a change, -n, -c."""
    folder = project(tmp_path, VARIANTS)
    (folder / "src" / "SConscript").write_text(VARIANT)
    before = files(folder)
    assert steps(scons(folder, "-n")) == TWO_VARIANTS
    assert files(folder) == before
    assert steps(scons(folder)) == TWO_VARIANTS
    assert "up to date" in scons(folder)
    copied, in_place = folder / "out, ü" / "copied", folder / "out, ü" / "in place"
    assert contents(copied / "blob") == contents(in_place / "blob") == plain
    assert {path.name for path in copied.iterdir()} == {"SConscript", "base.so", "blob", "mine.c", "seven.h"}
    assert [path.name for path in in_place.iterdir()] == ["blob"]

    (folder / "src" / "seven.h").write_text("#define SEVEN 8\n")
    printed = scons(folder)
    for name in ("copied", "in place"):
        assert steps(printed, name) == ["CC", "PLACE", "LD", "SPLICE", "EMIT"]
    assert steps(printed, "extra0_mine.o") == ["CC", "CC"]
    assert contents(copied / "blob") == contents(in_place / "blob") != plain

    scons(folder, "-c")
    assert not list((folder / "out, ü").glob("*/blob/*.*"))
    assert (folder / "src" / "base.so").read_bytes() == before["src/base.so"]
    (folder / "src" / "base.so").unlink()
    shutil.rmtree(folder / "out, ü")
    assert "base.so: no such file" in scons(folder, status=2)


def test_scons_tells_what_depends_on_what_and_why(tmp_path: Path, plain: dict[str, bytes]) -> None:
    folder = project(
        tmp_path, 'env.Vdso("blob", "src/base.so", VDSO_EXTRA_SRC="src/mine.c", VDSO_V=ARGUMENTS.get("LOUD", 0))\n'
    )
    tree = scons(folder, "-n", "--tree=prune", "blob/vdso.h")
    lines = [
        "+-blob/vdso.so",
        "  +-blob/work/image.so",
        "  | +-blob/base.so",
        "  | | +-src/base.so",
        "  | +-blob/work/stubs.elf",
    ]
    lines += ["  | | | | +-src/mine.c", "  | | | | +-src/seven.h", "  +-scons-vdso's own code, SHA-256 "]
    for line in lines:
        assert f"\n{line}" in tree, tree
    assert "building `blob/vdso.so' because it doesn't exist" in scons(folder, "--debug=explain", "blob")
    assert contents(folder / "blob") == plain
    (folder / "src" / "seven.h").write_text("#define SEVEN 9\n")
    why = scons(folder, "--debug=explain", "blob")
    assert "rebuilding `blob/work/extra0_mine.o' because `src/seven.h' changed" in why
    assert "rebuilding `blob/work/image.so' because `blob/work/stubs.elf' changed" in why
    assert "LOUD" not in scons(folder, "LOUD=1", "blob")
    assert "up to date" in scons(folder, "LOUD=1", "blob")
    (folder / "src" / "seven.h").write_text("#define SEVEN 7\n")
    assert " -c -o blob/work/extra0_mine.o src/mine.c" in scons(folder, "LOUD=1", "blob")
    assert contents(folder / "blob") == plain


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ('env.Vdso("b", "minimal", VDSO_LOADADDR="0x400000000")', ("VDSO_LOADADDR: unknown", "did you mean VDSO_LOAD_ADDR?")),
        ('env.Vdso("b", "minimal", LOAD_ADDR="0x400000000")', ("LOAD_ADDR: unknown", "did you mean VDSO_LOAD_ADDR?")),
        ('env.Vdso("b", "minimal", VDSO_CFLAGS="-O1")', ("VDSO_CFLAGS: unknown", "did you mean VDSO_CCFLAGS?")),
        ('env.Vdso("b", "minimal", VDSO_NONSENSE=1)', ("VDSO_NONSENSE: unknown", "docs/scons.md lists them")),
        ('env.VdsoSelftest("s", VDSO_ARC="riscv64")', ("VDSO_ARC: unknown", "did you mean VDSO_ARCH?")),
        ('env.VdsoDist("b", "minimal", VDSO_POLICIES="")', ("VDSO_POLICIES: unknown",)),
        ('env["VDSO_DATAPAGE"] = "none"; env.VdsoBase("b.so", "minimal")', ("VDSO_DATAPAGE: unknown", "mean VDSO_DATA_PAGE?")),
        ('env.Vdso("SConstruct", "minimal")', ("SConstruct: a file; name a folder",)),
        ('env.Vdso("b", "src")', ("src: a folder; give a file",)),
        ('env.Vdso("b", "absent.so")', ("absent.so: no such file",)),
        ('env.VdsoBase("b.so", "")', ("BASE: `` is not known",)),
        ('env.Vdso("b", "minimal", VDSO_EXTRA_SRC=["src"])', ("src: a folder; name the C files in it",)),
        ('env.Vdso("b", "minimal", VDSO_EXTRA_SRC=[File("src/base.so")])', ("base.so: neither C (.c) nor assembly (.S)",)),
    ],
)
def test_a_wrong_call_is_one_line(call: str, says: tuple[str, ...], tmp_path: Path) -> None:
    (line,) = scons(project(tmp_path, call), status=2).splitlines()
    for word in says:
        assert word in line, f"{word!r} is not in {line!r}"


def test_names_of_the_kernels_own(tmp_path: Path) -> None:
    """What begins like the tool's and is like none of it stays the kernel's; a source may be made later; no PATH is needed."""
    mine = """
env["VDSO_ENABLED"], env["VDSO_OUT"], env["ENV"] = True, Dir("b"), {}
made = env.Vdso("b", "minimal", VDSO_EXTRA_SRC=["made.c"], VDSO_CC="/usr/bin/riscv64-linux-gnu-gcc", ENV=dict(LC_ALL="C"))
env.Command("made.c", "src/mine.c", Copy("$TARGET", "$SOURCE"))
"""
    folder = project(tmp_path, mine)
    assert "-o b/work/extra0_made.o" not in scons(folder, "-n", "b")


TWO_KERNELS = """
env.Append(CPPDEFINES=["HOSTILE"], CCFLAGS=["-fpic", "-O0", "-include", "absent.h"], CPPPATH=["hostile"], LINKFLAGS="--no")
env.Replace(CC="false", AS="false", LINK="false", CCCOM="false", LINKCOM="false", SHELL="false")
env["ENV"] |= {"CPATH": Dir("hostile").abspath, "C_INCLUDE_PATH": Dir("hostile").abspath}
small = env.Clone(VDSO_CC="riscv64-linux-gnu-gcc", VDSO_DATA_PAGE="none", VDSO_TIMEBASE_HZ=10000000, VDSO_POLICY="getcpu:hide")
small.Vdso("small", "src/base.so", VDSO_LOAD_ADDR="0x7000000000")
env.Vdso("plain", "src/base.so", VDSO_EXTRA_SRC=[File("src/mine.c")])
"""


def test_two_blobs_and_a_hostile_kernel(tmp_path: Path, plain: dict[str, bytes]) -> None:
    """Each has its own settings, and none of the kernel's: not its flags, programs or folders of headers."""
    folder = project(tmp_path, TWO_KERNELS)
    (folder / "hostile").mkdir()
    for name in ("stdint.h", "seven.h", "vdso_data.h", "absent.h"):
        (folder / "hostile" / name).write_text("#error this is the kernel's\n")
    scons(folder, "-j4", "small", "plain")
    assert contents(folder / "plain") == plain
    header = (folder / "small" / "vdso.h").read_text()
    assert "0x7000000000" in header
    assert "VDSO_SYM_GETCPU" not in header
    assert "up to date" in scons(folder, "small", "plain")


BASES = """
made = env.VdsoBase("made/base.so", "minimal")
given = env.VdsoBase("bases/linux.so", File("src/base.so"))
env.Vdso("made", made, VDSO_EXTRA_SRC="src/mine.c")
env.Vdso("from node", given, VDSO_EXTRA_SRC="src/mine.c")
"""


def test_a_base_made_before(tmp_path: Path, plain: dict[str, bytes]) -> None:
    """What VdsoBase returns is a base, also where it lies in the blob's own folder."""
    folder = project(tmp_path, BASES)
    printed = scons(folder, "from node", "made")
    assert steps(printed, "made/base.so") == ["EXTRACT"]
    assert contents(folder / "from node") == plain
    assert contents(folder / "made") != plain
    assert "up to date" in scons(folder, "from node", "made")


THIRD_PARTY = """
env["VDSO_BASE"], env["VDSO_EXTRA_SRC"] = File("src/base.so"), [File("src/mine.c")]
for duplicate, out in ((0, None), (1, "#blob")):
    its_own = env.Clone(VDSO_OUT=out) if out else env
    made = SConscript("third party/SConscript", variant_dir=f"v{duplicate}", duplicate=duplicate, exports={"env": its_own})
    Default(made)
    print([node.get_path() for node in made])
"""


def test_the_sconscript_in_a_variant_directory(tmp_path: Path, plain: dict[str, bytes]) -> None:
    folder = project(tmp_path, THIRD_PARTY)
    (folder / "third party").symlink_to(ROOT)
    printed = scons(folder)
    for out in ("v0/build", "blob"):
        assert str([f"{out}/{name}" for name in OUTPUTS]) in printed
        assert contents(folder / out) == plain
    assert "up to date" in scons(folder)


# docs/scons.md


def test_the_document_tells_of_every_variable_and_method(tmp_path: Path) -> None:
    """All that the tool sets in an environment: nothing is missing, nothing is made up."""
    show = 'before = set(Environment(tools=[]).Dictionary())\nprint(*sorted(set(env.Dictionary()) - before), sep="\\n")\n'
    folder = project(tmp_path, show)
    found = {name for name in scons(folder, "-n").splitlines() if name.startswith("VDSO")}
    assert found >= {variables.PREFIX + option.name for option in variables.OPTIONS if option.tool}
    assert (
        set(re.findall(r"`\$?(VDSO[A-Z_]*[A-Z])`", DOCUMENT)) - {"VDSO_CC", "VDSO_LD", "VDSO_CCFLAGS", "VDSO_OUT", "VDSO_BASE"}
        == found
    )
    for method in ("Vdso", "VdsoBase", "VdsoSelftest", "VdsoReport", "VdsoDist"):
        assert f"`env.{method}(" in DOCUMENT


def test_the_example_of_the_document_builds(tmp_path: Path) -> None:
    (text,) = re.findall(r"```python\n(DefaultEnv.*?)```", DOCUMENT, re.S)
    folder = project(tmp_path, "")
    (folder / "third_party").mkdir()
    (folder / "third_party" / "scons-vdso").symlink_to(ROOT)
    (folder / "base.so").write_bytes(build_base(Spec()))
    (folder / "main.c").write_text('#define VDSO_IMPLEMENTATION\n#include "vdso.h"\n')
    (folder / "SConstruct").write_text(text)
    assert steps(scons(folder)).count("EMIT") == 1
    assert "up to date" in scons(folder)
    (folder / "base.so").write_bytes(build_base(Spec(hashes=("gnu",))))
    printed = scons(folder)
    assert "-o main.o" in printed
    assert "up to date" in scons(folder)
