# SPDX-License-Identifier: MIT
"""The workflows of GitHub Actions: valid, no hole that zizmor knows, and what their steps run is there and does its work.

Neither checker asks the network: the schema is check-jsonschema's own copy, and zizmor is told to stay offline.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT
from ruamel.yaml import YAML
from vdso.arch import ARCHES

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.y*ml"))
CI = FOLDER / "ci.yml"
WEEKLY = FOLDER / "weekly.yml"
ACTION_FILE = ROOT / "action.yml"
"""What kernels' repositories call; its steps are run by tests/scons/test_ways_in.py."""
TOOLS = Path(sys.executable).parent
ACTION = re.compile(r"uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
CALL = re.compile(r"\./sconsw ((?:[^ \n]+ ?)+)")


def schema(file: Path) -> subprocess.CompletedProcess[str]:
    kind = "actions" if file.name == "action.yml" else "workflows"
    command = [TOOLS / "check-jsonschema", "--builtin-schema", f"vendor.github-{kind}", file]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def zizmor(file: Path) -> subprocess.CompletedProcess[str]:
    """Run zizmor. Status 0 means that there is no finding, not even a doubtful one."""
    command = [TOOLS / "zizmor", "--offline", "--no-config", "--persona=auditor", "--strict-collection", "--format=plain", file]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def changed(folder: Path, old: str, new: str) -> Path:
    """Return a copy of ci.yml with another text in one place."""
    text = CI.read_text()
    assert old in text
    file = folder / ".github" / "workflows" / "ci.yml"
    file.parent.mkdir(parents=True)
    file.write_text(text.replace(old, new, 1))
    return file


def jobs(file: Path = CI) -> dict[str, dict]:
    return YAML(typ="safe").load(file.read_text())["jobs"]


def step(job: str, name: str) -> str:
    """Return the script of a step."""
    (found,) = (step["run"] for step in jobs()[job]["steps"] if step.get("name") == name)
    return found


def bash(script: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script as GitHub does with `shell: bash`."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=os.environ | environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", [*FILES, ACTION_FILE], ids=lambda file: file.name)
def test_workflows_and_the_action_are_valid_and_safe(file: Path) -> None:
    for done in (schema(file), zizmor(file)):
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    steps:", "    stepz:"),
        ("    runs-on:", "    runs-in:"),
        ("timeout-minutes: 30", "timeout-minutes: soon"),
        ("[main]", "7"),
    ],
)
def test_what_is_no_workflow_is_found(old: str, new: str, tmp_path: Path) -> None:
    done = schema(changed(tmp_path, old, new))
    assert done.returncode == 1, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("unpinned-uses", "@93cb6efe18208431cddfb8368fd83d5badbf9bfd # v5.0.1", "@v5"),
        ("unpinned-images", "@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171", ""),
        ("template-injection", '"BASE=$BASE"', '"BASE=${{ github.head_ref }}"'),
        ("artipacked", "persist-credentials: false", "persist-credentials: true"),
        ("excessive-permissions", "permissions: {}", "permissions: write-all"),
        ("dangerous-triggers", "  pull_request:", "  pull_request_target:"),
    ],
)
def test_a_hole_is_found(rule: str, old: str, new: str, tmp_path: Path) -> None:
    done = zizmor(changed(tmp_path, old, new))
    assert done.returncode >= 11, done.stdout + done.stderr
    assert f"[{rule}]" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "status", "told"),
    [
        ("  using: composite", "  using: shell", 1, "Schema validation errors"),
        ("@0057852bfaa89a56745cba8c7296529d2fc39830 # v4.3.0", "@v4", 0, "[unpinned-uses]"),
        ('"ARCH=$ARCH"', '"ARCH=${{ inputs.arch }}"', 0, "[template-injection]"),
    ],
)
def test_a_fault_of_the_action_is_found(old: str, new: str, status: int, told: str, tmp_path: Path) -> None:
    text = ACTION_FILE.read_text()
    assert old in text
    file = tmp_path / "action.yml"
    file.write_text(text.replace(old, new, 1))
    done = schema(file)
    assert (done.returncode, "validation errors" in done.stdout) == (status, bool(status))
    assert told in (done if status else zizmor(file)).stdout


def test_each_action_is_a_commit_with_its_version() -> None:
    for file in (*FILES, ACTION_FILE):
        uses = [line.strip().removeprefix("- ") for line in file.read_text().splitlines() if "uses:" in line]
        assert uses
        assert [line for line in uses if not ACTION.fullmatch(line)] == []


def test_only_the_release_may_write_and_only_of_a_tag() -> None:
    assert YAML(typ="safe").load(CI.read_text())["permissions"] == {}
    writers = {name for name, job in jobs().items() if "write" in job["permissions"].values()}
    assert writers == {"release"}
    assert jobs()["release"]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert set(jobs()["release"]["needs"]) == jobs().keys() - {"release"}
    tokens = [name for name, job in jobs().items() if "github.token" in str(job) or "secrets." in str(job)]
    assert tokens == ["release"]


def test_the_steps_call_targets_and_variables_that_there_are() -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "SCons", "-Q", "-h"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = set(re.findall(r"^  ([a-z]+) ", helped.partition("Variables")[0], re.M))
    variables = set(re.findall(r"^  ([A-Z_]+) ", helped.partition("Variables")[2], re.M))
    called = set()
    for job in jobs().values():
        for call in CALL.findall("\n".join(step.get("run", "") for step in job["steps"])):
            for word in call.replace('"', "").split():
                name, equals, _ = word.partition("=")
                assert name in (variables if equals else targets) or word == "--install", word
                called |= {name} - variables
    assert called == {"--install", "dist", "check", "test"}


def test_the_matrix_reaches_the_build(tmp_path: Path) -> None:
    """The script of the step, with a sconsw that says what it was called with."""
    (tmp_path / "sconsw").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "sconsw").chmod(0o755)
    matrix = jobs()["blob"]["strategy"]["matrix"]
    assert set(matrix["base"]) == {"debian:testing", "debian:stable", "minimal"}
    assert set(matrix["data_page"]) == {"after", "before"}
    assert set(matrix["arch"]) == ARCHES.keys(), "a release has all architectures"
    for arch in matrix["arch"]:
        for base in matrix["base"]:
            done = bash(step("blob", "Build"), tmp_path, ARCH=arch, BASE=base, DATA_PAGE="before")
            words = ["--install", "dist", f"ARCH={arch}", f"BASE={base}", "DATA_PAGE=before"]
            assert done.stdout.splitlines() == words, done.stderr
        checked = bash(step("blob", "Check"), tmp_path, ARCH=arch)
        assert checked.stdout.splitlines() == ["check", f"ARCH={arch}", "IMAGE=build/vdso.so"]


def blob(folder: Path, **files: bytes) -> None:
    """Make the files that `dist` leaves, as actions/download-artifact unpacks them."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / f"vdso-{name}.tar.gz").write_bytes(data)
    bash("sha256sum vdso-* > SHA256SUMS", folder)


def test_the_release_has_each_archive_once_with_sums(tmp_path: Path) -> None:
    blob(tmp_path / "blobs" / "blob-0", linux=b"7", minimal=b"m")
    blob(tmp_path / "blobs" / "blob-1", other=b"6", minimal=b"m")
    done = bash(step("release", "Collect"), tmp_path)
    assert done.returncode == 0, done.stderr
    names = {"vdso-linux.tar.gz", "vdso-other.tar.gz", "vdso-minimal.tar.gz", "SHA256SUMS"}
    assert {path.name for path in (tmp_path / "release").iterdir()} == names
    assert bash("sha256sum --check SHA256SUMS", tmp_path / "release").stdout.count(": OK") == 3


def test_no_release_of_what_is_damaged_or_differs(tmp_path: Path) -> None:
    blob(tmp_path / "damaged" / "blobs" / "blob-0", linux=b"7")
    (tmp_path / "damaged" / "blobs" / "blob-0" / "vdso-linux.tar.gz").write_bytes(b"8")
    blob(tmp_path / "differs" / "blobs" / "blob-0", minimal=b"m")
    blob(tmp_path / "differs" / "blobs" / "blob-1", minimal=b"n")
    for name, told in (("damaged", "FAILED"), ("differs", "differ")):
        done = bash(step("release", "Collect"), tmp_path / name)
        assert done.returncode != 0
        assert told in done.stdout
        assert not (tmp_path / name / "release" / "SHA256SUMS").exists()


def test_publish_hands_all_of_it_to_gh(tmp_path: Path) -> None:
    """The script of the step, with a gh that says what it was called with."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "bin" / "gh").chmod(0o755)
    blob(tmp_path / "release", linux=b"7")
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    done = bash(step("release", "Publish"), tmp_path, PATH=path, GITHUB_REF_NAME="v1 of", GITHUB_REPOSITORY="a/b")
    words = done.stdout.splitlines()
    assert words[:4] == ["release", "create", "v1 of", "--repo"]
    assert "--verify-tag" in words
    assert words[-2:] == ["release/SHA256SUMS", "release/vdso-linux.tar.gz"]


def test_the_programs_that_steps_need_are_installed_first() -> None:
    """A slim Debian has neither git, for the checkout, nor python3."""
    for name in ("blob", "test"):
        first = jobs()[name]["steps"][0]["run"]
        assert {"ca-certificates", "git", "python3"} <= set(first.split())
        assert jobs()[name]["steps"][1]["uses"].startswith("actions/checkout@")
    assert shutil.which("bash")


@pytest.mark.parametrize("name", ["zoo", "compilers"])
def test_long_tests_run_weekly(name: str) -> None:
    """The test that the job names is there, is none that runs otherwise, and no job of ci.yml names it."""
    workflow = YAML(typ="safe").load(WEEKLY.read_text())
    (when,) = workflow["on"]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \d", when["cron"])
    job = workflow["jobs"][name]
    visit = job["steps"][-1]["run"]
    (file,) = re.findall(r"tests/\S+\.py", visit)
    assert visit == f"./sconsw --install test 'TEST=-n0 -rP {file}'"
    assert (ROOT / file).is_file()
    assert not Path(file).name.startswith("test_")
    assert "def test_" in (ROOT / file).read_text()
    assert ("--cap-add SYS_ADMIN" in job["container"].get("options", "")) == (name == "zoo"), "which alone mounts"
    assert workflow["permissions"] == {}
    assert file not in CI.read_text()


def test_the_newest_scons_is_tried_weekly() -> None:
    job = YAML(typ="safe").load(WEEKLY.read_text())["jobs"]["scons"]
    assert job["steps"][-1]["run"] == "./sconsw --install test 'TEST=--full tests/scons/test_old_scons.py'"
    assert (ROOT / "tests" / "scons" / "test_old_scons.py").is_file()


def test_each_promised_python_is_tested_weekly() -> None:
    """From the oldest that pyproject.toml allows, without a gap."""
    job = YAML(typ="safe").load(WEEKLY.read_text())["jobs"]["pythons"]
    (oldest,) = re.findall(r'^requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    tried = [int(version.removeprefix("3.")) for version in job["strategy"]["matrix"]["python"]]
    assert tried == list(range(int(oldest), int(oldest) + len(tried)))
    assert tried[-1] >= 14
    assert job["steps"][-1]["run"].endswith("sconsw --install test\n")
