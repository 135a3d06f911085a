# SPDX-License-Identifier: MIT
"""The walls of the library: which folder may import which, and what some of them may never know."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import ROOT

LIBRARY = ROOT / "site_scons" / "site_tools" / "vdso"
LAYERS = (
    {"errors", "paths", "ranges", "layout", "suggest", "version"},
    {"arch", "elf", "packages", "templating"},
    {"data_page", "extract", "image"},
    {"policy", "stubs"},
    {"tables"},
    {"place"},
    {"splice"},
    {"verify"},
    {"emit", "variables"},
    {"release", "show"},
    {"pipeline"},
    {"scons"},
    {"the tool"},
)
"""From the lowest: a folder, or a module beside the folders, imports only from layers below its own."""
WALLS = {
    "arch": {"arch"},
    "verify": {"arch", "elf.elf64", "elf.our_note", "image.analysis", "paths", "templating", "verify"},
}
"""All of the library that may be imported there. What proves an image knows nothing of how it was made."""
OUTSIDE = {"arch": set(), "verify": {"elftools"}}
"""Beside the standard library."""
DECODERS = ("capstone",)
"""What a decoder imports when it is first called."""

Imports = dict[str, set[str]]


def modules(library: Path) -> dict[str, Path]:
    """Return every module by its name below the library; the library itself is the empty name."""
    return {_name(path.relative_to(library)): path for path in library.rglob("*.py")}


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix("__init__").rstrip(".")


def _nodes(tree: ast.AST, late: bool) -> Iterator[ast.AST]:
    """Yield the nodes that run, those of functions only if `late`; what stands under TYPE_CHECKING never does."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if late or not isinstance(child, ast.FunctionDef):
            yield child
            yield from _nodes(child, late)


def inside(library: Path) -> Imports:
    """Return the modules of the library that each of its modules imports, sooner or later."""
    known = modules(library)
    found: Imports = {name: set() for name in known}
    for name, path in known.items():
        package = name.split(".") if path.name == "__init__.py" and name else name.split(".")[:-1]
        for node in _nodes(ast.parse(path.read_text()), late=True):
            if isinstance(node, ast.ImportFrom) and node.level:
                start = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
                base = ".".join(filter(None, start))
                for alias in node.names:
                    longer = f"{base}.{alias.name}".lstrip(".")
                    found[name].add(longer if longer in known else base)
    return found


def outside(path: Path, late: bool) -> set[str]:
    """Return the packages that a module imports from elsewhere, those of the standard library left out."""
    found = set()
    for node in _nodes(ast.parse(path.read_text()), late):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found - sys.stdlib_module_names


def layer(name: str) -> int:
    """Return the layer of a module."""
    top = name.partition(".")[0] or "the tool"
    (found,) = (index for index, layer in enumerate(LAYERS) if top in layer)
    return found


def upward(imports: Imports) -> list[str]:
    """Return each import that leads to the layer of the module, but not into its folder, or to a higher one."""
    return [
        f"{name} imports {other}"
        for name, others in imports.items()
        for other in others
        if name.partition(".")[0] != other.partition(".")[0] and layer(other) >= layer(name)
    ]


def circle(imports: Imports) -> list[str]:
    """Return modules that import each other in a round; none where there is no such round."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return way[way.index(name) :]
        if name in done:
            return []
        found = next(filter(None, (walk(other, [*way, name]) for other in imports[name])), [])
        done.add(name)
        return found

    return next(filter(None, (walk(name, []) for name in imports)), [])


def beyond(imports: Imports, folder: str) -> list[str]:
    """Return each import of a walled folder that leads through its wall."""
    allowed = WALLS[folder]
    return [
        f"{name} imports {other}"
        for name, others in imports.items()
        for other in others
        if name.partition(".")[0] == folder and not any(f"{other}.".startswith(f"{room}.") for room in allowed)
    ]


@pytest.fixture(scope="module")
def imports() -> Imports:
    return inside(LIBRARY)


def test_every_folder_has_its_layer(imports: Imports) -> None:
    tops = {name.partition(".")[0] or "the tool" for name in imports}
    assert tops == set().union(*LAYERS)
    assert sum(map(len, imports.values())) > 200


def test_no_import_leads_up(imports: Imports) -> None:
    assert upward(imports) == []


def test_no_modules_import_each_other_in_a_round(imports: Imports) -> None:
    assert circle(imports) == []


@pytest.mark.parametrize("folder", WALLS)
def test_no_import_leads_through_a_wall(imports: Imports, folder: str) -> None:
    assert beyond(imports, folder) == []


@pytest.mark.parametrize("folder", OUTSIDE)
def test_nor_out_of_the_library(folder: str) -> None:
    for path in (LIBRARY / folder).rglob("*.py"):
        assert outside(path, late=False) <= OUTSIDE[folder], path
        assert outside(path, late=True) <= OUTSIDE[folder] | set(DECODERS if path.name == "decode.py" else ()), path


BROKEN = {
    "a stage that imports a later one": (
        "image/reader.py",
        "from ..splice import splice\n",
        "image.reader imports splice.splice",
    ),
    "in a function": ("elf/elf64.py", "def f():\n    from ..scons.steps import emit\n", "elf.elf64 imports scons.steps"),
    "one beside it": ("policy/decide.py", "from ..stubs import toolchain\n", "policy.decide imports stubs.toolchain"),
    "the tool itself": ("show/page.py", "from .. import generate\n", "show.page imports "),
}


def library(folder: Path, name: str, text: str) -> Path:
    """Make a copy of the library in which a module begins with `text`."""
    for module in modules(LIBRARY).values():
        copy = folder / module.relative_to(LIBRARY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(
            (text if copy == folder / name else "") + module.read_text().replace("from __future__ import annotations", "")
        )
    return folder


@pytest.mark.parametrize("case", BROKEN)
def test_an_import_that_leads_up_is_found(case: str, tmp_path: Path) -> None:
    name, text, says = BROKEN[case]
    assert upward(inside(library(tmp_path, name, text))) == [says]


def test_a_round_is_found(tmp_path: Path) -> None:
    found = circle(inside(library(tmp_path, "elf/elf64.py", "from . import headers\n")))
    assert set(found) == {"elf.elf64", "elf.headers"}


def test_what_only_a_type_checker_reads_makes_no_round(tmp_path: Path) -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import headers\n"
    assert circle(inside(library(tmp_path, "elf/elf64.py", text))) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("verify/reader.py", "from ..image.reader import read_vdso\n"),
        ("verify/rules/code.py", "from ...ranges import Span\n"),
        ("arch/arch.py", "from ..errors import VdsoError\n"),
        ("arch/riscv64/decode.py", "def f():\n    from ...elf import elf64\n"),
    ],
)
def test_a_hole_in_a_wall_is_found(name: str, text: str, tmp_path: Path) -> None:
    found = inside(library(tmp_path, name, text))
    assert len(beyond(found, name.partition("/")[0])) == 1


def test_a_package_of_others_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("import os.path\nimport lief\ndef f():\n    import capstone.riscv\n    from jinja2 import nodes\n")
    assert outside(path, late=False) == {"lief"}
    assert outside(path, late=True) == {"lief", "capstone", "jinja2"}
