# SPDX-License-Identifier: MIT
"""The whole zoo: hours of builds, gigabytes of Debian's packages. A test that runs only if this file is named."""

from __future__ import annotations

import tempfile
from fnmatch import fnmatch
from pathlib import Path

from stub_build import compile_all

from zoo import results
from zoo.build import CONFIGURATIONS, Built, Recipe, build
from zoo.judge import Judge
from zoo.suites import BUILD, COMPILERS, SOURCES, Failed, compilers, offers, unpack
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
    """Build and judge each vDSO whose recipe's name matches `only`; a visit goes on in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    known = {each.recipe for each in results.read(folder / "results")}
    sources = trees(folder / "trees")
    with tempfile.TemporaryDirectory(prefix="zoo-") as name:
        judge = Judge(Path(name), compile_all(Path(name)))
        for suite in COMPILERS:
            with offers((("", suite),)) as offer, tempfile.TemporaryDirectory(prefix=f"zoo-{suite}-") as place:
                for compiler in compilers(offer):
                    recipes = [
                        (tree, recipe)
                        for tree in sources
                        for configuration in CONFIGURATIONS
                        if (recipe := Recipe(tree.version, compiler.name, configuration)) not in known
                        and fnmatch(recipe.name, only)
                    ]
                    if recipes:
                        unpack(offer.download(*BUILD, *compiler.packages), Path(place, "root"))
                    for tree, recipe in recipes:
                        known.add(recipe)
                        out = Path(place, tree.version)
                        out.mkdir(exist_ok=True)
                        made = build(tree, compiler, recipe.configuration, Path(place, "root"), out)
                        _keep(folder / "results", recipe, made, judge)


def _keep(path: Path, recipe: Recipe, made: list[Built] | str, judge: Judge) -> None:
    """Judge what a build made, show it, and add it to the file."""
    if isinstance(made, str):
        told = [results.Result(recipe, made)]
    else:
        told = [results.result(recipe, each, judge.verdict(each)) for each in made]
    results.write(path, told)
    for each in told:
        print(recipe.name, each.kind, each.not_built or each.verdict, flush=True)


def test_no_vdso_is_wrongly_refused_taken_or_spoken_of(tmp_path: Path) -> None:
    visit(tmp_path, "*")
    found = results.read(tmp_path / "results")
    print(results.table(found))
    assert results.wrong(found) == []
    plain = [each for each in found if each.verdict and each.kind == "vdso" and each.stripped]
    assert len({each.sha256 for each in plain}) >= LEAST_VDSOS
    assert len({each.recipe.version for each in plain}) >= LEAST_SERIES
    assert {each.recipe.compiler.partition("-")[0] for each in plain} == {"gcc", "clang"}
