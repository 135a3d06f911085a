# SPDX-License-Identifier: MIT
"""The whole zoo: hours of builds, gigabytes of Debian's packages. A test that runs only if this file is named."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from stub_build import compile_all

from zoo import results
from zoo.build import CONFIGURATIONS, Recipe, build
from zoo.judge import Judge
from zoo.suites import BUILD, COMPILERS, SOURCES, Compiler, Failed, compilers, offers, unpack
from zoo.trees import Tree, series, unpacked

LEAST_VDSOS, LEAST_SERIES = 20, 4


def trees(folder: Path) -> list[Tree]:
    """Return the newest Linux source of each series that a suite offers, unpacked below `folder`."""
    found: dict[str, Tree] = {}
    for suite in SOURCES:
        with offers((suite,)) as offer:
            for name in series(offer):
                if name in found:
                    continue
                try:
                    found[name] = unpacked(offer.download_alone(name), folder)
                except Failed as failed:
                    print(f"passed over {name} of {suite[1]}: {failed}", flush=True)
    return sorted(found.values(), key=lambda tree: tree.series)


def visit(folder: Path, only: str) -> None:
    """Build and judge each vDSO whose recipe's name matches `only`; `folder` keeps what was made, and a visit goes on there."""
    folder.mkdir(parents=True, exist_ok=True)
    known = {each.recipe for each in results.read(folder / "results")}
    sources = trees(folder / "trees")
    with tempfile.TemporaryDirectory(prefix="zoo-") as name:
        judge = Judge(Path(name), compile_all(Path(name)))
        for tree, compiler, root in _places(folder, sources):
            for configuration in CONFIGURATIONS:
                recipe = Recipe(tree.version, compiler.name, configuration)
                if recipe in known or not fnmatch(recipe.name, only):
                    continue
                known.add(recipe)
                made = build(tree, compiler, configuration, root, _fresh(folder / "out" / f"{tree.version} {root.name}"))
                told = (
                    [results.Result(recipe, made)]
                    if isinstance(made, str)
                    else [results.result(recipe, each, judge.verdict(each)) for each in made]
                )
                results.write(folder / "results", told)
                for each in told:
                    print(recipe.name, each.kind, each.not_built or each.verdict, flush=True)


def _fresh(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _places(folder: Path, sources: list[Tree]) -> Iterator[tuple[Tree, Compiler, Path]]:
    """Yield each tree with each compiler and the root that has it: the newest of each suite first, then all others."""
    for newest in (True, False):
        for suite in COMPILERS:
            with offers((("", suite),)) as offer:
                offered = compilers(offer)
                first = [next(each for each in offered if each.family == family) for family in ("gcc", "clang")]
                chosen = [each for each in offered if (each in first) == newest]
                root = folder / "roots" / suite
                for compiler in chosen:
                    if not (root / compiler.name).exists():
                        unpack(offer.download(*BUILD, *compiler.packages), root)
                        (root / compiler.name).touch()
                for tree in sources:
                    for compiler in chosen:
                        yield tree, compiler, root
            shutil.rmtree(folder / "out", ignore_errors=True)


def test_no_vdso_is_wrongly_refused_taken_or_spoken_of(tmp_path: Path) -> None:
    visit(tmp_path, "*")
    found = results.read(tmp_path / "results")
    print(results.table(found))
    assert results.wrong(found) == []
    plain = [each for each in found if each.verdict and each.kind == "vdso" and each.stripped]
    assert len({each.sha256 for each in plain}) >= LEAST_VDSOS
    assert len({each.recipe.version for each in plain}) >= LEAST_SERIES
    assert {each.recipe.compiler.partition("-")[0] for each in plain} == {"gcc", "clang"}
