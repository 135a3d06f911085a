# SPDX-License-Identifier: MIT
"""The measurement can be believed: faults are those that are meant, a found one is found, and one that is not is told."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest
from repository import ROOT, TESTS

from mutation import results
from mutation.c_faults import c_faults, code_of
from mutation.judges import judges
from mutation.measure import Judge, measure
from mutation.mutant import Mutant, mutant
from mutation.python_faults import python_faults
from mutation.results import KILLED, NOTHING, SAME, SURVIVED, Result
from mutation.sample import AREAS, LIBRARY, RUST, C, draw, faults, files
from mutation.trial import Trial

RANGES = "site_scons/site_tools/vdso/ranges.py"

PYTHON = {
    "a < b": ["(a <= b)"],
    "a in b": ["(a not in b)"],
    "a and b and c": ["(a or b or c)", "(b and c)", "(a and c)", "(a and b)"],
    "a + 1": ["(a - 1)", "a + (2)", "a + (0)"],
    "'a' + b": [],
    "f'{a + 1}' + b": [],
    "not a": ["(a)"],
    "-a": ["(a)"],
    "x = True": ["x = False"],
    "a if b else c": ["(a)", "(c)"],
    "x = min(a)": ["x = max(a)"],
    "x = a.startswith(b)": ["x = a.endswith(b)"],
    "a(b)": ["pass"],
    "if a: b()": ["if True: b()", "if False: b()", "if a: pass"],
    "while a: b": ["while False: b"],
    "raise a": ["pass"],
    "a += b": ["pass"],
    "@f(1)\ndef g(a: int = b) -> 'c | d': return a": ["@f(1)\ndef g(a: int = b) -> 'c | d': return None"],
    "def g():\n    'a'\n    return 1": ["def g():\n    'a'\n    return (2)", "def g():\n    'a'\n    return (0)"],
    "from a import b": [],
    "a = 'é' < b": ["a = ('é' <= b)"],
}
C_CODE = {
    "\tif (a < b && !c)\n": ["if (a <= b && !c)", "if (a < b || !c)", "if (a < b && c)"],
    "\tnow->sec = a << 3u;\n": ["now->sec = a >> 3u;", "now->sec = a << 4u;", "now->sec = a << 2u;", ";"],
    "\tset(row, 0);\n": ["set(row, 1);", ";"],
    "\tvdso_fence_load();\n": [";"],
    "    fence(Ordering::Release);\n": [";"],
    "\tuint64_t a = b;\n": [],
    "\tconst struct row *row = a;\n": [],
    "#include <a.h> /* 1 */\n": [],
    "/* 1 + 2 */ // a < b\n": [],
    '\t"a + 1";\n': [],
    '\t__asm__ volatile("fence r,ir" ::: "memory");\n': [
        '__asm__ volatile("fence r,r" ::: "memory");',
        '__asm__ volatile("fence r,i" ::: "memory");',
    ],
    "    a.wrapping_add(b)\n": ["a.wrapping_sub(b)"],
    "    pub fn get(&self) -> Option<u64> {\n": [],
    "#define A (1 + B)\n": ["#define A (2 + B)", "#define A (0 + B)", "#define A (1 - B)"],
}


def changed(found: list[Mutant], text: str) -> list[str]:
    return sorted(fault.applied(text).strip() for fault in found)


@pytest.mark.parametrize("text", PYTHON)
def test_faults_of_python_are_those_of_the_table(text: str) -> None:
    assert changed(python_faults("a.py", text), text) == sorted(PYTHON[text])


@pytest.mark.parametrize("text", C_CODE)
def test_faults_of_c_and_rust_are_those_of_the_table(text: str) -> None:
    assert changed(c_faults("a.c", text), text) == sorted(C_CODE[text])


def test_code_keeps_its_lines_where_text_is_blanked() -> None:
    text = 'a /* b\nc */ + "d"; // e\n#include <f>\n'
    assert code_of(text) == "a     \n     +    ;     \n            \n"


def test_each_file_has_faults_that_are_code_and_others_than_it() -> None:
    chance = random.Random(1)
    for area in AREAS:
        for path in files(ROOT, area):
            text = (ROOT / path).read_text()
            found = faults(path, text)
            for fault in chance.sample(found, min(5, len(found))):
                assert fault.applied(text) != text
                assert text[fault.start - 1 : fault.start + 1] != "\n\n"
                assert fault.line == text[: fault.start].count("\n") + 1
                if area == LIBRARY:
                    ast.parse(fault.applied(text))


def test_a_seed_chooses_the_same_faults_and_one_a_line() -> None:
    one, again, other = (list(draw(ROOT, LIBRARY, seed, "*/image/*"))[:50] for seed in (1, 1, 2))
    assert one == again != other
    assert len({(fault.path, fault.line) for fault in one}) == 50
    assert {fault.path.rsplit("/", 1)[0] for fault in one} == {"site_scons/site_tools/vdso/image"}


def test_the_areas_are_library_c_and_rust() -> None:
    assert RANGES in files(ROOT, LIBRARY)
    assert {"vdso_src/vdso_data.h", "vdso_src/read_page.h", "vdso_src/clock_gettime.c"} <= set(files(ROOT, C))
    assert "templates/vdso_data.rs.j2" in files(ROOT, RUST)
    assert not [path for area in AREAS for path in files(ROOT, area) if "selftest/" in path or path.startswith("tests/")]


def test_every_file_has_judges_and_each_judges_once() -> None:
    for area in AREAS:
        for path in files(ROOT, area):
            groups = judges(TESTS, path)
            tests = [test for group in groups for test in group]
            assert tests, path
            assert len(tests) == len(set(tests))
            assert all((TESTS / test.partition("::")[0]).is_file() for test in tests)


def test_tests_of_the_same_name_judge_first_then_the_folder_then_all() -> None:
    own, of_folder, of_all = judges(TESTS, "site_scons/site_tools/vdso/policy/decide.py")
    assert own == ["policy/test_decide.py"]
    assert of_folder == ["policy/test_base_check.py"]
    assert "splice/test_splice.py" in of_all
    assert judges(TESTS, RANGES)[0] == ["test_ranges.py"]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("trial")
    return Trial(folder / "checkout", folder)


def fault(old: str, new: str, path: str = RANGES) -> Mutant:
    text = (ROOT / path).read_text()
    assert text.count(old) == 1
    return mutant(path, text, text.index(old), text.index(old) + len(old), new, "comparison")


def test_a_fault_is_in_the_copy_alone_and_goes_again(trial: Trial) -> None:
    text = (ROOT / RANGES).read_text()
    wrong = fault("self.start <= address", "self.start < address")
    with trial.fault(wrong):
        assert (trial.root / RANGES).read_text() == wrong.applied(text) != text
        assert (ROOT / RANGES).read_text() == text
    assert (trial.root / RANGES).read_text() == text


def test_what_ended_it_is_told(trial: Trial) -> None:
    tests = ["test_ranges.py"]
    assert trial.run(tests).by == ""
    with trial.fault(fault("self.start <= address", "self.start < address")):
        assert trial.run(tests).by == "test_ranges.py::test_questions_about_two_spans_are_answered_as_of_sets"
    with trial.fault(fault("    def take_at(", "    while True: pass\n    def take_at(")):
        assert trial.run(tests, 2).by == "no end"
    with trial.fault(fault("class Room:", "class Rooms:")):
        assert trial.run(tests).by == "test_ranges.py"
    with pytest.raises(RuntimeError, match="pytest can't run"):
        trial.run(["test_nowhere.py"])


def test_tests_that_fail_by_themselves_judge_nothing(trial: Trial, tmp_path: Path) -> None:
    (trial.root / "tests" / "test_ranges.py").write_text("def test_wrong():\n    assert False\n")
    try:
        with pytest.raises(RuntimeError, match=r"test_ranges\.py::test_wrong fails in a copy of the checkout as it is"):
            Judge(trial, tmp_path / "times").verdict(fault("self.start <= address", "self.start < address"))
    finally:
        (trial.root / "tests" / "test_ranges.py").write_text((TESTS / "test_ranges.py").read_text())


def test_a_run_goes_on_where_one_has_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    measure(tmp_path / "one", out, 1, {LIBRARY: 1}, "*/ranges.py")
    first = results.read(out / "results")
    assert len(first) == 1
    assert f"{first[0].ended:9} {RANGES}:{first[0].mutant.line}" in capsys.readouterr().out
    measure(tmp_path / "two", out, 1, {LIBRARY: 2}, "*/ranges.py")
    assert results.read(out / "results")[:1] == first
    assert len(results.read(out / "results")) == 2


def test_the_table_counts_by_place_and_names_what_was_not_found() -> None:
    def result(path: str, line: int, ended: str) -> Result:
        return Result(Mutant(path, line, line, "", line, "constant"), LIBRARY, ended, "", 1.0, f"- {line}")

    tool = "site_scons/site_tools/vdso/"
    made = [
        result(tool + "image/load.py", 1, KILLED),
        result(tool + "image/model.py", 2, SURVIVED),
        result(tool + "ranges.py", 3, KILLED),
    ]
    made += [result("vdso_src/read.h", 4, SAME), result("vdso_src/read.h", 5, NOTHING)]
    assert results.table(made).splitlines() == [
        "| place | faults | found | not found | the same code |",
        "|---|---|---|---|---|",
        "| image/ | 2 | 1 | 1 | 0 |",
        "| ranges.py | 1 | 1 | 0 | 0 |",
        "| vdso_src/read.h | 1 | 0 | 0 | 1 |",
        "| all | 4 | 2 | 1 | 1 |",
        "",
        f"{tool}image/model.py:2  constant  (survived)",
        "- 2",
        "vdso_src/read.h:4  constant  (the same code)",
        "- 4",
    ]
