# SPDX-License-Identifier: MIT
"""The zoo can be believed: what should be otherwise is told, what is right is not, and no suite, tree or file is mixed up."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from elf_builder import Spec
from elf_builder import build as build_base
from image_builder import foreign
from stub_build import compile_all
from vdso.errors import VdsoError

from zoo import build as building
from zoo import judge as judging
from zoo import results
from zoo.build import CONFIGURATIONS, Built, Recipe, build
from zoo.judge import Judge, Verdict, wrong_refusal
from zoo.suites import Compiler, compilers, unpack
from zoo.trees import Tree, series, unpacked


class Offered:
    """An offer of these packages."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def names(self, prefix: str) -> list[str]:
        return [name for name in self._names if name.startswith(prefix)]


def test_compilers_are_those_with_all_of_their_packages() -> None:
    """No meta package, no C++ compiler, none for another machine, no clang without its lld."""
    gccs = (
        "gcc",
        "gcc-9-riscv64-linux-gnu",
        "gcc-14-riscv64-linux-gnu",
        "gcc-14-aarch64-linux-gnu",
        "gcc-14-riscv64-linux-gnu-base",
    )
    clangs = ("clang", "clang-9", "clang-19", "clang-19-doc", "clang-22", "lld", "lld-9", "lld-19")
    found = compilers(Offered(*gccs, *clangs, "gcc-14-riscv64-linux-gnu-base", "g++-14-riscv64-linux-gnu"))
    assert [compiler.name for compiler in found] == ["gcc-14", "gcc-9", "clang-19", "clang-9"]
    assert found[0].packages == ("gcc-14-riscv64-linux-gnu",)
    assert found[2].packages == ("clang-19", "lld-19", "llvm-19")


def test_series_are_in_the_order_of_their_numbers() -> None:
    names = (
        "linux-source",
        "linux-source-6.12",
        "linux-source-5.10",
        "linux-source-6.1",
        "linux-source-7.2",
        "linux-source-7.2-rt",
    )
    assert series(Offered(*names)) == [f"linux-source-{number}" for number in ("5.10", "6.1", "6.12", "7.2")]
    assert Tree("6.12.118-1", Path()).series == (6, 12)


def test_a_tree_has_what_a_vdso_takes(tmp_path: Path) -> None:
    name = "linux-source-6.12"
    taken = ("Makefile", "drivers/char/Kconfig", "include/linux/fs.h", "fs/fs.h")
    files = (*taken, "drivers/char/mem.c", "fs/open.c", "arch/riscv/k.dts")
    for file in files:
        (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name / file).write_text(file)
    package = tmp_path / "package"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 6.12.118-1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: a\n"
    )
    (package / "usr" / "src").mkdir(parents=True)
    subprocess.run(["tar", "-cJf", package / "usr" / "src" / f"{name}.tar.xz", "-C", tmp_path, name], check=True)
    deb = tmp_path / f"{name}_6.12.118-1_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", package, deb], check=True, capture_output=True)
    tree = unpacked(deb, tmp_path / "trees")
    found = {path.relative_to(tree.folder).as_posix() for path in tree.folder.rglob("*") if path.is_file()}
    assert found == set(taken)
    deb.unlink()
    assert unpacked(deb, tmp_path / "trees") == tree == Tree("6.12.118-1", tmp_path / "trees" / "6.12.118-1")


def test_packages_from_before_and_after_the_merge_of_usr_lie_in_one_root(tmp_path: Path) -> None:
    debs = []
    for name, file in (("old", "bin/old"), ("new", "usr/bin/new")):
        package = tmp_path / name
        (package / "DEBIAN").mkdir(parents=True)
        (package / "DEBIAN" / "control").write_text(
            f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: a\n"
        )
        for each in (file, "usr/share/doc/readme"):
            (package / each).parent.mkdir(parents=True, exist_ok=True)
            (package / each).write_text(name)
        debs.append(tmp_path / f"{name}.deb")
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", package, debs[-1]], check=True, capture_output=True)
    root = tmp_path / "root"
    for _again in range(2):
        unpack(debs, root)
    assert (root / "bin").is_symlink()
    assert {path.name for path in (root / "bin").iterdir()} == {"old", "new", "awk", "sh"}
    assert not (root / "usr" / "share" / "doc").exists()


class Make:
    """A make that writes these files below the kernel's folder, and says this on its way."""

    def __init__(self, files: dict[str, str], status: int = 0, says: str = "", config: str = "") -> None:
        self.files, self.status, self.says, self.config = files, status, says, config
        self.called: list[str] = []

    def __call__(self, _root: Path, _tree: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
        self.called.append(words[-1])
        if words[-1].endswith("config") and words[-1] != "olddefconfig":
            (out / ".config").write_text(self.config)
        for name, text in self.files.items():
            if words[-1] == f"arch/riscv/kernel/{name.partition('/')[0]}/":
                path = out / "arch" / "riscv" / "kernel" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return subprocess.CompletedProcess(words, self.status, "", self.says)


def built(
    make: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    configuration: str = "default",
    kconfig: str = "",
) -> object:
    """Return what a build makes of a tree and of what an earlier one has left."""
    monkeypatch.setattr(building, "run_inside", make)
    for name in ("tree/arch/riscv", "out/arch/riscv/kernel/vdso"):
        (folder / name).mkdir(parents=True)
    (folder / "tree" / "arch" / "riscv" / "Kconfig").write_text(kconfig)
    (folder / "out" / "arch" / "riscv" / "kernel" / "vdso" / "vdso.so").write_text("an earlier one")
    return build(Tree("6.12.1-1", folder / "tree"), Compiler("gcc", 14), configuration, folder, folder / "out")


def test_a_build_gives_its_plain_vdso_and_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make = Make({"vdso/vdso.so": "plain", "vdso/vdso.so.dbg": "with symbols"})
    assert built(make, monkeypatch, tmp_path) == [Built("vdso", True, b"plain"), Built("vdso", False, b"with symbols")]
    assert make.called == ["defconfig", "arch/riscv/kernel/vdso/"]


def test_the_vdso_for_user_cfi_is_built_where_the_tree_has_prepared_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make = Make(
        {"vdso/vdso.so": "plain", "vdso_cfi/vdso-cfi.so": "cfi", "vdso_cfi/vdso-cfi.so.dbg": "symbols", "vdso_cfi/a.so.d": ""}
    )
    (tmp_path / "out" / "arch" / "riscv" / "kernel").mkdir(parents=True)

    def prepares(root: Path, tree: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
        if words[-1] == "arch/riscv/kernel/vdso/":
            (out / "arch" / "riscv" / "kernel" / "vdso_cfi").mkdir(parents=True)
        return make(root, tree, out, *words)

    found = built(prepares, monkeypatch, tmp_path, "user CFI", "config RISCV_USER_CFI")
    assert found == [Built("vdso", True, b"plain"), Built("vdso_cfi", True, b"cfi"), Built("vdso_cfi", False, b"symbols")]


@pytest.mark.parametrize(
    ("make", "configuration", "kconfig", "reason"),
    [
        (Make({}), "default", "", "no vdso.so"),
        (Make({}, 2, "make: hm\nMakefile:5: *** Too old\nmake: Error 2"), "small", "", "Makefile:5: *** Too old"),
        (Make({}, 2, "***\n*** C compiler is too old.\n***   Your version: 9\n***\n"), "default", "", "C compiler is too old."),
        (Make({}, 2), "default", "", "make said nothing"),
        (Make({"vdso/vdso.so": ""}), "user CFI", "config RISCV", "this Linux has no CONFIG_RISCV_USER_CFI=y"),
        (Make({"vdso/vdso.so": ""}), "user CFI", "config RISCV_USER_CFI", ""),
    ],
)  # fmt: skip
def test_a_build_that_makes_none_says_why(
    make: Make, configuration: str, kconfig: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = built(make, monkeypatch, tmp_path, configuration, kconfig)
    assert found == (reason or [Built("vdso", True, b"")])


def test_a_setting_that_the_compiler_does_not_bear_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Dropped(Make):
        def __call__(self, root: Path, tree: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
            done = super().__call__(root, tree, out, *words)
            if words[-1] == "olddefconfig":
                (out / ".config").write_text("# CONFIG_RISCV_USER_CFI is not set\n")
            return done

    found = built(Dropped({"vdso/vdso.so": ""}), monkeypatch, tmp_path, "user CFI", "config RISCV_USER_CFI")
    assert found == "CONFIG_RISCV_USER_CFI=y is not for this compiler"
    assert CONFIGURATIONS["user CFI"][1] == "CONFIG_RISCV_USER_CFI=y\n"


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    folder = tmp_path_factory.mktemp("judge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "PROGRAMS", ("glibc 2.36, static",))
        yield Judge(folder, compile_all(folder))


def test_a_vdso_that_is_taken_found_and_run_is_right(judge: Judge) -> None:
    verdict = judge.verdict(Built("vdso", True, foreign()))
    assert (verdict.refused, verdict.wrong, verdict.findings, verdict.untrue, verdict.programs) == ("", (), (), (), 1)
    assert verdict.rules > 90


@pytest.mark.parametrize(("changes", "finding"), [({"hashes": ("gnu",)}, "dt-hash"), ({"relocations": 1}, "no-relocations")])
def test_what_harms_is_a_true_finding(changes: dict[str, object], finding: str, judge: Judge) -> None:
    verdict = judge.verdict(Built("vdso", True, foreign(**changes)))
    assert (verdict.wrong, verdict.findings, verdict.untrue) == ((), (finding,), ())


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"second_load": True}, "refused: "),
        ({"auxiliary": "cf-protection=full"}, "refused: "),
        ({"version": "LINUX_2.6"}, "refused: "),
    ],
)
def test_what_is_wrong_with_a_plain_vdso_is_told(changes: dict[str, object], wrong: str, judge: Judge) -> None:
    (told,) = judge.verdict(Built("vdso", True, foreign(**changes))).wrong
    assert told.startswith(wrong)


def test_a_finding_without_harm_is_told(judge: Judge) -> None:
    verdict = judge.verdict(Built("vdso", True, foreign(build_id=None)))
    assert (verdict.refused, verdict.wrong, verdict.findings, verdict.untrue) == ("", (), ("build-id",), ("build-id",))


def test_a_program_that_makes_system_calls_is_told(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    run = judging.launch
    monkeypatch.setattr(judging, "launch", lambda *words: run(*words, "--auxv=no"))
    verdict = judge.verdict(Built("vdso", True, foreign()))
    assert verdict.programs == 0
    assert verdict.wrong[0].startswith("glibc 2.36, static: ")
    assert "of clock_gettime, not" in verdict.wrong[0]


def test_an_export_that_a_library_does_not_find_is_told(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "_looker", lambda _image, names: {name: ("0x4", "-") for name in names})
    wrong = judge.verdict(Built("vdso", True, foreign())).wrong
    assert len(wrong) > 5
    assert wrong[0].endswith(" is found at -, 0x4, not " + wrong[0].rpartition(" ")[2])


@pytest.mark.parametrize(
    ("kind", "spec", "wrong"),
    [
        ("vdso_cfi", Spec(auxiliary="cf-protection=full"), []),
        ("compat_vdso", Spec(bits=32, soname="linux-compat_vdso.so.1"), []),
        (
            "compat_vdso",
            Spec(auxiliary="cf-protection=full"),
            ["refused for another reason than that it is a 32-bit compat vDSO: "],
        ),
    ],
)
def test_what_is_no_base_must_be_refused_for_that(kind: str, spec: Spec, wrong: list[str], judge: Judge) -> None:
    verdict = judge.verdict(Built(kind, True, build_base(spec)))
    assert [told.startswith(start) for told, start in zip(verdict.wrong, wrong, strict=True)] == [True] * len(wrong)
    assert verdict.refused


def test_a_vdso_that_is_no_base_must_not_be_taken(judge: Judge) -> None:
    verdict = judge.verdict(Built("compat_vdso", True, foreign()))
    assert (verdict.refused, verdict.wrong) == ("", ("a compat_vdso is accepted",))


def test_a_bug_of_ours_is_never_a_right_refusal() -> None:
    assert wrong_refusal("vdso_cfi", VdsoError("a", "user-CFI vDSO")) == []
    assert wrong_refusal("vdso_cfi", AssertionError("user-CFI vDSO")) == ["refused: user-CFI vDSO"]


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    recipe = Recipe("6.12.118-1", "gcc-14", "default")
    good = results.result(recipe, Built("vdso", True, b"a"), Verdict("", (), ("dt-hash",), (), 94, 4))
    bad = results.result(recipe, Built("vdso", False, b"ab"), Verdict("", ("getcpu is found at 0x4",), ("x",), ("x",), 94, 3))
    cfi = results.result(recipe, Built("vdso_cfi", True, b"c"), Verdict("no", ("refused: no",), (), (), 0, 0))
    none = results.Result(Recipe("5.10.1-1", "clang-9", "small"), "too old")
    for written in ([good, bad, cfi], [none]):
        results.write(tmp_path / "results", written)
    found = results.read(tmp_path / "results")
    assert found == [good, bad, cfi, none]
    assert results.read(tmp_path / "nothing") == []
    assert results.wrong(found) == [
        "6.12.118-1 gcc-14 default, vdso with symbols: getcpu is found at 0x4",
        "6.12.118-1 gcc-14 default, vdso with symbols: check finds x",
        "6.12.118-1 gcc-14 default, vdso_cfi: refused: no",
    ]
    rows = results.table(found).splitlines()
    assert rows[2] == "| 6.12.118-1 | default | vdso | gcc-14 | 2 | 2 | 0 | 94 | 7 | dt-hash, x | 0 | 1 | 1 |"
    assert rows[3] == "| 6.12.118-1 | default | vdso_cfi | gcc-14 | 1 | 0 | 1 |  | 0 |  | 1 | 0 | 0 |"
    assert rows[4] == "| all |  |  | gcc-14 | 3 | 2 | 1 | 94 | 7 | dt-hash, x | 1 | 1 | 1 |"
    assert rows[-1] == "* 5.10.1-1 clang-9 small: too old"


def test_the_same_bytes_count_once() -> None:
    same = [
        results.result(Recipe("6.1.1-1", compiler, "default"), Built("vdso", True, b"a"), Verdict("", (), (), (), 94, 4))
        for compiler in ("gcc-14", "gcc-9", "clang-19")
    ]
    assert (
        results.table(same).splitlines()[2]
        == "| 6.1.1-1 | default | vdso | clang-19, gcc-9, gcc-14 | 1 | 1 | 0 | 94 | 4 |  | 0 | 0 | 0 |"
    )
