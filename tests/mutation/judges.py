# SPDX-License-Identifier: MIT
"""Which tests judge a file, by where it lies: those of its own name, those of its folder, then a set for all."""

from __future__ import annotations

from pathlib import Path

TOOL = "site_scons/site_tools/vdso/"
SELDOM = {
    "vdso_src": ("clock/test_stubs.py", "clock", "memory_order/test_memory_order.py", "stubs", "arch/test_facts.py"),
    "tables": ("tables", "splice"),
    "templates": ("clock/test_data_page.py", "clock", "memory_order/test_memory_order.py"),
    "sconsw": ("scons/test_sconsw.py",),
    "arch": ("arch", "image"),
    "image": ("image", "arch"),
    "scons": ("scons", "release/test_dist.py"),
}
"""Of what has no folder of its own name among the tests, or is told by another's as well."""
OF_NO_FOLDER = ("scons/test_build.py",)
ALL = (
    "test_pipeline.py",
    "policy",
    "place",
    "tables",
    "splice/test_splice.py",
    "verify/test_rules.py",
    "emit",
    "show/test_info.py",
    "fuzz/test_fuzz.py::test_what_was_found_stays_mended",
    "stubs",
)
"""Judges what no test of its own has found."""


def judges(tests: Path, path: str) -> list[list[str]]:
    """Return the tests of a file, relative to the folder `tests`: groups that run one after the other until one fails."""
    inside = path.removeprefix(TOOL)
    place, stem = inside.split("/")[0], Path(inside).stem
    folders = SELDOM.get(place, (place,) if "/" in inside else OF_NO_FOLDER)
    of_folder = [name for folder in folders for name in _files(tests, folder)]
    own = [name for name in of_folder + _files(tests, ".") if Path(name).stem == f"test_{stem}"]
    of_all = [name for folder in ALL for name in _files(tests, folder)]
    groups: list[list[str]] = []
    for group in (own, of_folder, of_all):
        known = {name for earlier in groups for name in earlier}
        groups.append([name for name in dict.fromkeys(group) if name not in known])
    return [group for group in groups if group]


def _files(tests: Path, place: str) -> list[str]:
    """Return the files of tests at a place: a folder, a file, or a test in one."""
    if not (tests / place).is_dir():
        return [place] if (tests / place.partition("::")[0]).is_file() else []
    found = (tests / place).glob("test_*.py") if place == "." else (tests / place).rglob("test_*.py")
    return sorted(str(path.relative_to(tests)) for path in found)
