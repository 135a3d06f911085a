# SPDX-License-Identifier: MIT
"""The bench of the build, on a checkout of three lines: that it times what it says, and sees what is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT, TESTS

from bench import build_times

COMPILES = ("gcc", "/opt/bin/riscv64-elf-gcc", "aarch64-linux-gnu-gcc-14", "clang", "clang-19", "/usr/lib/llvm/clang-19.1")
LINKS = ("ld", "riscv64-linux-gnu-ld", "ld.bfd", "ld.lld", "ld.lld-19")
BENCH = TESTS / "bench" / "build_times.py"

SCONSTRUCT = """
import os
{imports}
launch, out = GetLaunchDir(), ARGUMENTS["OUT"]
SConsignFile(os.path.join(out, ".sconsign"))
env = Environment(tools=[], ENV=os.environ)
one = env.Command(os.path.join(out, "a.o"), "a.c", "gcc -c -o $TARGET $SOURCE")
two = env.Command(os.path.join(out, "b.o"), one, "ld -r -o $TARGET $SOURCE")
env.Alias("vdso", two)
"""


def bench(tmp_path: Path, imports: str, *more: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    root = tmp_path / "root"
    root.mkdir(exist_ok=True)
    (root / "SConstruct").write_text(SCONSTRUCT.format(imports=imports))
    (root / "a.c").write_text("int a;\n")
    out = tmp_path / "out"
    more = more or ("--variants", "0")
    command = [sys.executable, str(BENCH), str(root), str(out), "--runs", "2", "--clean-runs", "1", *more]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=120, check=False)
    return done, out / "bench" / "build_times.json"


@pytest.mark.parametrize("cc", COMPILES)
@pytest.mark.parametrize("ld", LINKS)
def test_compiles_and_links_are_known_by_each_name_of_their_programs(cc: str, ld: str) -> None:
    log = f"  PLACE   out/plan.json\ncclink a -c b\n{cc} -O2 -c a.c\n{cc} -c b.c\n{ld} -o c a.o\n  SPLICE  c\n"
    assert build_times.tool_commands(log) == ([cc, "-O2", "-c", "a.c"], [ld, "-o", "c", "a.o"])


def test_reports_both_ratios(tmp_path: Path) -> None:
    done, result = bench(tmp_path, imports="")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(result.read_text())
    assert report["variables"] == ["BASE=minimal"]
    idle, clean = report["nothing to do"], report["from clean"]
    assert (idle["runs"], idle["limit"], idle["imports"]) == (2, 1.05, [])
    assert clean["parts"].keys() == {"interpreter and lief", "one compile", "one link"}
    assert clean["ratio"] == pytest.approx(clean["build"] / sum(clean["parts"].values()))  # of a single run
    assert f"ratio {idle['ratio']:.2f} (limit 1.05), 2 pairs" in done.stdout
    assert f"ratio {clean['ratio']:.2f} (limit 1.2), 1 runs" in done.stdout


def test_variants_are_made_by_the_tool_of_the_checkout(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "site_scons").symlink_to(ROOT / "site_scons")
    done, result = bench(tmp_path, "", "--variants", "2")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(result.read_text())["a further variant"]
    assert (found["count"], found["limit"]) == (2, 0.12)
    assert f"  a further variant{found['each']:6.3f}   of CPU (limit 0.12), 2 of them" in done.stdout


def test_variants_without_a_tool_are_a_failure(tmp_path: Path) -> None:
    done, result = bench(tmp_path, "", "--variants", "2")
    assert done.returncode == 1
    assert "No tool module 'vdso' found" in done.stderr
    assert not result.exists()


def test_lief_among_the_imports_is_a_failure(tmp_path: Path) -> None:
    done, result = bench(tmp_path, imports="import lief")
    assert done.returncode == 1
    assert json.loads(result.read_text())["nothing to do"]["imports"] == ["lief"]


def test_a_build_that_fails_is_shown(tmp_path: Path) -> None:
    done, result = bench(tmp_path, imports="raise ValueError('broken')")
    assert done.returncode == 1
    assert "ValueError: broken" in done.stderr
    assert not result.exists()
