# SPDX-License-Identifier: MIT
"""The examples of docs/data-page.md, in C and in Rust: compiled as they stand, run, and what they do to the clocks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from repository import ROOT
from scons_build import build

DOC = (ROOT / "docs" / "data-page.md").read_text()

C_KERNEL = """
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include "vdso.h"

static union vdso_data_page page;
static int clock_lock;
static uint64_t now;
static uint64_t vdso_counter(void) { assert(clock_lock == 1); return now; }
static void lock(int *l) { assert(!(*l)++); }
static void unlock(int *l) { assert(!--(*l)); }
"""
C_MAIN = """
static void show(const char *what)
{
	static const int ids[] = { 0, 1, 4, 6, 7, 11 };
	printf("%s:", what);
	for (unsigned i = 0; i < 6; i++) {
		struct timespec t;
		assert(sys_clock_gettime(ids[i], &t) == 0);
		printf(" %ld.%09ld", (long)t.tv_sec, t.tv_nsec);
	}
	printf(" valid %d\\n", vdso_row_is_valid(page.data.row[1].state));
}
int main(void)
{
	struct timespec t;
	assert(clock_boot(1, 1000) == -1);
	now = 10000000; assert(!clock_boot(10000000, 1000)); show("boot");
	assert(!clock_uptime(5, 500)); show("uptime");
	now += 10000000; assert(!clock_step(2000, 7)); show("settime");
	assert(clock_step(2000, 1000000000) == -EINVAL);
	assert(!clock_adjust(50000000)); now += 10000000; show("adjust");
	assert(!clock_leap_second(3000, 37)); show("leap");
	assert(!clock_suspend()); now += 10000000; show("suspend");
	now = 5; assert(!clock_resume(9000000000)); now += 10000000; show("resume");
	assert(clock_tick() == -1 && !clock_tick_is(10000000)); now += 10000000; show("between ticks");
	assert(!clock_tick()); show("tick");
	uint64_t last = now;
	now = 100; assert(!clock_restarted(last, 3000000000)); now += 10000000; show("restarted");
	clock_unreliable(); show("unreliable");
	assert(sys_clock_gettime(2, &t) == -EINVAL);
	return 0;
}
"""
RUST_KERNEL = """
#![deny(warnings)]
#[allow(dead_code)]
mod vdso;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use vdso::{Refused, VdsoData};
const EINVAL: i32 = 22;
static NOW: AtomicU64 = AtomicU64::new(0);
static LOCK: AtomicU64 = AtomicU64::new(0);
struct Guard;
impl Drop for Guard { fn drop(&mut self) { assert_eq!(LOCK.swap(0, Relaxed), 1); } }
fn lock() -> Guard { assert_eq!(LOCK.swap(1, Relaxed), 0); Guard }
fn counter() -> u64 { assert_eq!(LOCK.load(Relaxed), 1); NOW.load(Relaxed) }
"""
RUST_MAIN = """
fn show(page: &VdsoData, what: &str) {
    print!("{what}:");
    for id in [0, 1, 4, 6, 7, 11] {
        let (sec, nsec) = sys_clock_gettime(page, id).unwrap();
        print!(" {sec}.{nsec:09}");
    }
    let state = unsafe { *(page as *const VdsoData).cast::<u64>().add(8) };
    println!(" valid {}", state >> 63);
}
fn main() {
    static PAGE: vdso::VdsoDataPage = vdso::VdsoDataPage::new();
    let page = &PAGE.0;
    assert_eq!(boot(page, 1, 1000), Err(Refused));
    NOW.store(10000000, Relaxed); boot(page, 10000000, 1000).unwrap(); show(page, "boot");
    uptime(page, 5, 500).unwrap(); show(page, "uptime");
    NOW.fetch_add(10000000, Relaxed); step(page, 2000, 7).unwrap(); show(page, "settime");
    assert_eq!(step(page, 2000, 1000000000), Err(Refused));
    adjust(page, 50000000).unwrap(); NOW.fetch_add(10000000, Relaxed); show(page, "adjust");
    leap_second(page, 3000, 37).unwrap(); show(page, "leap");
    suspend(page).unwrap(); NOW.fetch_add(10000000, Relaxed); show(page, "suspend");
    NOW.store(5, Relaxed); resume(page, 9000000000).unwrap(); NOW.fetch_add(10000000, Relaxed); show(page, "resume");
    assert_eq!(tick(page), Err(Refused)); tick_is(page, 10000000).unwrap();
    NOW.fetch_add(10000000, Relaxed); show(page, "between ticks");
    tick(page).unwrap(); show(page, "tick");
    let last = NOW.swap(100, Relaxed);
    restarted(page, last, 3000000000).unwrap(); NOW.fetch_add(10000000, Relaxed); show(page, "restarted");
    unreliable(page); show(page, "unreliable");
    assert_eq!(sys_clock_gettime(page, 2), Err(-EINVAL));
}
"""
# REALTIME, MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE, BOOTTIME, TAI; is a row valid
EXPECTED = """\
boot: 1000.000000000 1.000000000 1.000000000 1.000000000 1.000000000 1000.000000000 valid 1
uptime: 1000.000000000 5.000000500 1.000000000 5.000000500 5.000000500 1000.000000000 valid 1
settime: 2000.000000007 6.000000500 2.000000000 6.000000500 6.000000500 2000.000000007 valid 1
adjust: 2001.050000007 7.050000500 3.000000000 7.050000500 7.050000500 2001.050000007 valid 1
leap: 2999.000000000 7.050000500 3.000000000 7.050000500 7.050000500 3037.000000000 valid 1
suspend: 2999.000000000 7.050000500 3.000000000 7.050000500 7.050000500 3037.000000000 valid 1
resume: 3009.050000000 8.100000500 4.000000000 8.100000500 17.100000500 3047.050000000 valid 1
between ticks: 3010.100000000 9.150000500 5.000000000 8.100000500 18.150000500 3048.100000000 valid 1
tick: 3010.100000000 9.150000500 5.000000000 9.150000500 18.150000500 3048.100000000 valid 1
restarted: 3014.150000000 10.200000500 6.000000000 9.150000500 22.200000500 3052.150000000 valid 1
unreliable: 3014.150000000 10.200000500 6.000000000 9.150000500 22.200000500 3052.150000000 valid 0
"""


def examples(language: str) -> str:
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```$", DOC, re.M | re.S))


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("examples"), "BASE=minimal")


def run(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_in_c(blob: Path, tmp_path: Path) -> None:
    source = tmp_path / "kernel.c"
    source.write_text(C_KERNEL + examples("c") + C_MAIN)
    run("gcc", "-Wall", "-Wextra", "-Werror", "-I", blob, source, "-o", tmp_path / "kernel")
    assert run(tmp_path / "kernel") == EXPECTED


def test_in_rust(blob: Path, tmp_path: Path) -> None:
    (tmp_path / "vdso.rs").write_bytes((blob / "vdso.rs").read_bytes())
    source = tmp_path / "main.rs"
    source.write_text(RUST_KERNEL + examples("rust") + RUST_MAIN)
    run("rustc", "--edition", "2021", source, "-o", tmp_path / "kernel")
    assert run(tmp_path / "kernel") == EXPECTED


def test_each_c_example_has_its_twin_in_rust() -> None:
    c, rust = (re.findall(pattern, examples(language)) for language, pattern in (("c", r"(\w+)\("), ("rust", r"\.(\w+)\(")))
    used = {name.removeprefix("vdso_data_") for name in c if name.startswith("vdso_data_")} - {"end"}
    assert used == {name for name in rust if name != "ok_or"}
    assert len(used) == 12


def test_the_layout_is_that_of_the_header() -> None:
    header = (ROOT / "vdso_src" / "vdso_data.h").read_text()
    asserted = dict(re.findall(r"VDSO_DATA_OFFSET_IS\((\w+), (\d+)\)", header))
    table = DOC.partition("## Layout\n\n")[2].partition("\n\n")[0]
    sections = [(int(at), int(size)) for at, size in re.findall(r"^\| (\d+) \| (\d+) \|", table, re.M)]
    assert sections == [(768, 368), (int(asserted["reserved"]), 2448), (int(asserted["extra"]), 512)]
    assert all(at + size == following for (at, size), (following, _) in zip(sections, [*sections[1:], (4096, 0)], strict=True))
    fields = re.findall(r"VDSO_DATA_ASSERT\(row_(\w+), __builtin_offsetof\(struct vdso_row, \w+\) == (\d+)\)", header)
    assert fields == [(name, at) for at, name in re.findall(r"^\| \+ (\d+) \| 8 \| `(\w+)`", table, re.M)]
