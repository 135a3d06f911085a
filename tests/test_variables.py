# SPDX-License-Identifier: MIT
"""Values of the variables that are taken, and those that are refused with what to do, without a build around them."""

from __future__ import annotations

import re

import pytest
from vdso import variables
from vdso.data_page import DataPage
from vdso.errors import VdsoError
from vdso.variables import OPTIONS, check_base, defaults, load_addr, pages_beside, refuse_wrong, timebase_hz


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("0x300000000", 0x3_0000_0000),
        ("4096", 0x1000),
        ("0x1000", 0x1000),
        ("0xfffffffffffff000", (1 << 64) - 0x1000),
        ("0b1000000000000", 0x1000),
    ],
)
def test_a_load_address_begins_a_page(value: str, address: int) -> None:
    assert load_addr(value) == address


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("", "`` is not a number; write it as 0x300000000"),
        ("here", "`here` is not a number"),
        ("0", "0x0 is not a page-aligned address (a multiple of 0x1000 below 2^64); take 0x300000000"),
        ("1", "0x1 is not a page-aligned address (a multiple of 0x1000 below 2^64); take 0x300000000"),
        ("0x1fff", "0x1fff is not a page-aligned address (a multiple of 0x1000 below 2^64); take 0x1000"),
        ("0x300000800", "0x300000800 is not a page-aligned address (a multiple of 0x1000 below 2^64); take 0x300000000"),
        ("-4096", "-0x1000 is not a page-aligned address (a multiple of 0x1000 below 2^64); take 0x300000000"),
        (
            "0x10000000000000000",
            "0x10000000000000000 is not a page-aligned address (a multiple of 0x1000 below 2^64); take 0x300000000",
        ),
    ],
)
def test_another_load_address_is_refused(value: str, what: str) -> None:
    with pytest.raises(VdsoError, match="^LOAD_ADDR: " + re.escape(what)):
        load_addr(value)


LOW, HIGH = variables.HZ_LIMITS


@pytest.mark.parametrize(("value", "hz"), [("10000000", 10**7), ("0x989680", 10**7), (str(LOW), LOW), (str(HIGH), HIGH)])
def test_a_frequency_is_compiled_in_without_a_data_page(value: str, hz: int) -> None:
    assert timebase_hz(DataPage.NONE, value) == hz


@pytest.mark.parametrize("page", [DataPage.AFTER, DataPage.BEFORE])
def test_with_a_data_page_the_kernel_tells_the_frequency(page: DataPage) -> None:
    assert timebase_hz(page, "") is None
    with pytest.raises(VdsoError, match=f"^TIMEBASE_HZ: `10000000` with DATA_PAGE={page}; leave it out"):
        timebase_hz(page, "10000000")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("", "missing, and DATA_PAGE=none compiles it in; set it, as in TIMEBASE_HZ=10000000"),
        ("10 MHz", "`10 MHz` is not a number"),
        (str(LOW - 1), f"{LOW - 1} is out of range ({LOW} to {HIGH})"),
        (str(HIGH + 1), f"{HIGH + 1} is out of range ({LOW} to {HIGH})"),
        ("-1", "-1 is out of range"),
    ],
)
def test_another_frequency_is_refused(value: str, what: str) -> None:
    with pytest.raises(VdsoError, match="^TIMEBASE_HZ: " + re.escape(what)):
        timebase_hz(DataPage.NONE, value)


@pytest.mark.parametrize("value", ["debian", "debian:sid", "minimal", "file.so", "a/b:c", "debian.so", "debian/x:"])
def test_a_base_is_a_word_or_a_file(value: str) -> None:
    check_base(value)


@pytest.mark.parametrize("value", ["", "debian:"])
def test_a_base_that_is_nothing_is_refused(value: str) -> None:
    with pytest.raises(VdsoError, match=f"^BASE: `{value}` is not known; it is a file, debian, debian:SUITE or minimal"):
        check_base(value)


def test_the_tool_has_defaults_of_all_that_env_vdso_knows() -> None:
    assert set(defaults()) == {f"VDSO_{option.name}" for option in OPTIONS} - {
        "VDSO_BASE",
        "VDSO_OUT",
        "VDSO_IMAGE",
        "VDSO_DATA",
        "VDSO_TEST",
    }
    assert defaults()["VDSO_LOAD_ADDR"] == "0x300000000"
    assert defaults()["VDSO_DATA_PAGE"] == "after"
    refuse_wrong(defaults())


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"ARCH": "mips"}, "ARCH: `mips` is not known; it is one of riscv64"),
        ({"DATA_PAGE": "behind"}, "DATA_PAGE: `behind` is not known; it is one of after, before, none"),
        ({"V": "2"}, "V: `2` is not known; it is one of 0, 1"),
        ({"LOAD_ADDR": "1"}, "LOAD_ADDR: 0x1 is not a page-aligned address"),
        ({"MIRROR": "deb.example/debian"}, "MIRROR: `deb.example/debian` is no address; write it as http://HOST/debian"),
        ({"MIRROR": "http://deb.example/a b"}, "MIRROR: `http://deb.example/a b` is no address"),
        ({"POLICY": "getcpu"}, "POLICY: `getcpu` is not EXPORT:KIND"),
        ({"DATA_PAGE": "none"}, "TIMEBASE_HZ: missing"),
        ({"TIMEBASE_HZ": "10000000"}, "TIMEBASE_HZ: `10000000` with DATA_PAGE=after"),
    ],
)
def test_the_first_wrong_value_is_told(changed: dict[str, str], what: str) -> None:
    with pytest.raises(VdsoError, match="^" + re.escape(what)):
        refuse_wrong({**defaults(), **{f"VDSO_{name}": value for name, value in changed.items()}})
    for mirror in ("http://deb.example/debian", "file:/srv/debian", "https://deb.example:8080/debian/"):
        refuse_wrong({**defaults(), "VDSO_MIRROR": mirror})
    right = {"VDSO_DATA_PAGE": "none", "VDSO_TIMEBASE_HZ": "10000000", "VDSO_POLICY": "getcpu:hide", "VDSO_V": "1"}
    refuse_wrong({**defaults(), **right})


@pytest.mark.parametrize(
    ("value", "pages"),
    [
        ("", None),
        ("before:4", (4, 0)),
        ("after:1", (0, 1)),
        ("after:2,before:3", (3, 2)),
        (" before:0 , after:64 ", (0, 64)),
        ("before:64", (64, 0)),
    ],
)
def test_pages_beside_an_image(value: str, pages: tuple[int, int] | None) -> None:
    assert pages_beside(value) == pages


@pytest.mark.parametrize(
    "value", ["before", "before:", "before:-1", "before:0x4", "before:65", "after:65", "beside:1", "4", "before:1,4"]
)
def test_what_is_no_number_of_pages(value: str) -> None:
    with pytest.raises(VdsoError, match=r"is neither before:N nor after:N \(N up to 64\)"):
        pages_beside(value)
