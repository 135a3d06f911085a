# SPDX-License-Identifier: MIT
"""README, linters and types: what is said of the project holds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT
from vdso.variables import OPTIONS

README = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh-CN.md").read_text()


def test_the_readme_has_every_variable_with_default_and_meaning() -> None:
    rows = [f"| `{o.name}` | {f'`{o.default}`' if o.default else ''}".rstrip() + f" | {o.help} |" for o in OPTIONS]
    table = README.partition("## Variables\n\n")[2].partition("\n\n")[0].splitlines()
    assert table[2:] == rows


def test_the_readme_has_every_target() -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "SCons", "-Q", "-h"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = re.findall(r"^  ([a-z]+) +(.*)$", helped.partition("Variables")[0], re.M)
    assert targets, helped
    table = README.partition("## Targets\n\n")[2].partition("\n\n")[0].splitlines()
    assert table[2:] == [f"| `{name}` | {text} |" for name, text in targets]
    for option in OPTIONS:
        assert option.help in helped


def pages() -> list[Path]:
    tracked = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / name for name in tracked]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path, text: str) -> list[str]:
    """Return links to a file that is not there, or to a heading that it does not have."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not link.startswith("http") and (not target.exists() or (anchor and anchor not in anchors(target))):
            found.append(link)
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page, page.read_text()) == []


def test_a_broken_link_is_found() -> None:
    assert broken(ROOT / "README.md", "[a](no.md) [b](#none) [c](README.md#targets) [d](docs)") == ["no.md", "#none"]


def gone(text: str) -> list[str]:
    """Return the paths of this repository that a text names, and that are not there."""
    named = re.findall(r"(?<![\w/.-])((?:docs|examples|site_scons|templates|tests|vdso_src)/[\w./*-]*\w)", text)
    named = [name for name in named if "__pycache__" not in name]
    return [name for name in named if not any(ROOT.glob(name.replace("**.", "**/*.")))]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_paths_in_documents_are_there(page: Path) -> None:
    assert gone(page.read_text()) == []


def test_a_path_that_is_gone_is_found() -> None:
    assert gone("`tests/test_old.py`, vdso_src/*.c, `docs/`, a/docs/no.md, (examples/none.)") == [
        "tests/test_old.py",
        "examples/none",
    ]


def skeleton(text: str) -> dict[str, list[str]]:
    """Return what a README has in any language: code without comments, links, commands, names in tables, levels of headings."""
    return {
        "code": [re.sub(r"\s*/\*.*?\*/", "", block) for block in re.findall(r"^```.*?\n(.*?)^```$", text, re.M | re.S)],
        "links": [link for link in re.findall(r"\]\(([^)#\s]+)\)", text) if not link.startswith("README")],
        "commands": re.findall(r"`(\./sconsw [^`]*)`", text),
        "rows": re.findall(r"^\| (`[A-Za-z_]+` \| (?:`\S+` )?)", text, re.M),
        "levels": re.findall(r"^#+(?= )", text, re.M),
    }


def test_the_readme_in_chinese_says_the_same() -> None:
    english, chinese = skeleton(README), skeleton(CHINESE)
    for kind, found in english.items():
        assert found, kind
        assert sorted(chinese[kind]) == sorted(found), kind


def test_continuous_integration_runs_the_test_command_of_the_readme() -> None:
    assert "./sconsw --install test" in README
    assert "./sconsw --install test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_linters_and_types(command: list[str]) -> None:
    cache = ["--cache-dir", "/dev/null"] if command[0] == "mypy" else ["--no-cache"]
    done = subprocess.run([sys.executable, "-m", *command, *cache], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_sources_name_their_licence() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    sources = [name for name in tracked if name.endswith((".py", ".c", ".h", ".S", ".lds", ".rs"))]
    assert len(sources) > 50
    for name in sources:
        head = (ROOT / name).read_text()[:300]
        assert "SPDX-License-Identifier: MIT" in head or not head, name
