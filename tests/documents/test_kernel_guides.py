# SPDX-License-Identifier: MIT
"""The guides for kernels that exist: their code fits vdso.h and vdso.rs of today, beside no more of a kernel than they name."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from repository import ROOT
from scons_build import build

GUIDES = ROOT / "docs" / "kernels"
CC = ("riscv64-linux-gnu-gcc", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-O2", "-c", "-I.")
BASE = "BASE=minimal"

XV6 = """
typedef unsigned char uchar; typedef unsigned int uint; typedef unsigned long uint64; typedef uint64 *pagetable_t;
enum { PGSIZE = 4096, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16 };
struct spinlock { int taken; };
struct proc { pagetable_t pagetable; };
void initlock(struct spinlock *, char *); void acquire(struct spinlock *); void release(struct spinlock *);
void panic(char *) __attribute__((noreturn));
int mappages(pagetable_t, uint64, uint64, uint64, int); void uvmunmap(pagetable_t, uint64, uint64, int);
void argint(int, int *); void argaddr(int, uint64 *); struct proc *myproc(void);
int copyout(pagetable_t, uint64, char *, uint64);
"""
XV6_USER = """
int printf(const char *, ...); int fork(void); int wait(int *); int pipe(int *); long read(int, void *, int);
long write(int, const void *, int); int exit(int) __attribute__((noreturn));
struct timespec; int clock_gettime(int, struct timespec *);
"""
RT_THREAD = """
#include <stdint.h>
#include <stddef.h>
typedef long rt_base_t; typedef unsigned long rt_size_t;
#define RT_NULL 0
#define INIT_COMPONENT_EXPORT(f) int (*const started_by_##f)(void) = f
enum { RT_EOK = 0, RT_ERROR = 1, MMF_MAP_FIXED = 1, PTE_V = 1, PTE_R = 2, PTE_X = 8, PTE_U = 16, PTE_A = 64 };
struct timespec { long tv_sec, tv_nsec; };
struct rt_spinlock { int taken; };
struct rt_aspace { void *start; rt_size_t size; };
struct rt_lwp { struct rt_aspace *aspace; void *vdso_vbase; };
struct rt_mm_va_hint { void *limit_start; rt_size_t limit_range_size; void *prefer; rt_size_t map_size, flags; };
#define MM_PA_TO_OFF(pa) ((rt_size_t)(pa) >> 12)
void *rt_kmem_v2p(void *); uint64_t rt_clock_time_get_freq(void); int rt_kprintf(const char *, ...);
int rt_aspace_map_phy(struct rt_aspace *, struct rt_mm_va_hint *, rt_size_t, rt_size_t, void **);
int lwp_unmap_user_phy(struct rt_lwp *, void *);
void rt_spin_lock_init(struct rt_spinlock *); rt_base_t rt_spin_lock_irqsave(struct rt_spinlock *);
void rt_spin_unlock_irqrestore(struct rt_spinlock *, rt_base_t);
"""
NANOS = """
typedef signed int s32; typedef signed long s64; typedef unsigned char u8; typedef unsigned int u32; typedef unsigned long u64;
typedef u64 timestamp, physical, pageflags; typedef int boolean;
struct process { u64 vdso_base; }; typedef struct process *process;
enum { true = 1, PAGESIZE = 4096, CLOCK_ID_REALTIME = 0 };
struct spinlock { u64 w; }; typedef struct spinlock *spinlock;
void spin_lock_init(spinlock); u64 spin_lock_irq(spinlock); void spin_unlock_irq(spinlock, u64);
timestamp now(int); timestamp truncate_seconds(timestamp);
u64 sec_from_timestamp(timestamp); u64 nsec_from_timestamp(timestamp);
void halt(const char *); pageflags pageflags_default_user(void); pageflags pageflags_exec(pageflags);
pageflags pageflags_noexec(pageflags); physical physical_from_virtual(void *); void map(u64, physical, u64, pageflags);
"""


def blocks(guide: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (GUIDES / guide).read_text(), re.M | re.S)


def block(guide: str, language: str, word: str) -> str:
    """Return the one whole file among the blocks that has `word` in it."""
    (found,) = [text for text in blocks(guide, language) if word in text]
    return found


def compiled(folder: Path, *command: object) -> None:
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("blob"), BASE)


def test_xv6(blob: Path, tmp_path: Path) -> None:
    kernel = {
        "types.h": XV6,
        "vdso.h": (blob / "vdso.h").read_text(),
        "vclock.c": block("xv6-riscv.md", "c", "\nvclockinit(void)\n{"),
        **dict.fromkeys(("riscv.h", "param.h", "spinlock.h", "proc.h", "defs.h"), ""),
    }
    write(tmp_path / "kernel", kernel)
    write(tmp_path / "user", {"user.h": XV6_USER, "clocktest.c": block("xv6-riscv.md", "c", "\nmain(void)")})
    compiled(tmp_path / "kernel", *CC, "vclock.c")
    compiled(tmp_path, *CC, "-Wno-sign-compare", "-Wno-format", "user/clocktest.c")


def test_rt_thread(tmp_path: Path) -> None:
    blob = build(tmp_path / "blob", BASE, "DATA_PAGE=before")
    kernel = {
        "rtthread.h": RT_THREAD,
        "vdso.h": (blob / "vdso.h").read_text(),
        "user_clock.c": block("rt-thread.md", "c", "INIT_COMPONENT_EXPORT"),
        **dict.fromkeys(("mmu.h", "lwp_user_mm.h", "drivers/clock_time.h", "vdso_kernel.h"), ""),
    }
    write(tmp_path, kernel)
    compiled(tmp_path, *CC, "user_clock.c")


def test_a_kernel_with_a_vdso_of_its_own(blob: Path, tmp_path: Path) -> None:
    """As that kernel: without the compiler's headers."""
    kernel = {
        "unix_internal.h": NANOS,
        "user_vdso.h": (blob / "vdso.h").read_text(),
        "user_clock.h": block("own-vdso.md", "c", "typedef s32 int32_t"),
        "user_clock.c": block("own-vdso.md", "c", "VDSO_IMPLEMENTATION"),
    }
    write(tmp_path, kernel)
    compiled(tmp_path, *CC, "-nostdinc", "user_clock.c")


RCORE = """
#![no_std]
#![allow(dead_code)]
mod mm {
    pub fn translated_refmut<T>(_token: usize, at: *mut T) -> &'static mut T { unsafe { &mut *at } }
    pub fn user_may_write(_token: usize, _start: usize, _len: usize) -> bool { true }
}
mod task { pub fn current_user_token() -> usize { 0 } }
mod vclock;
mod vdso;
pub fn boot() -> isize { vclock::init(); vclock::sys_clock_gettime(0, 0) }
"""


def test_rcore(blob: Path, tmp_path: Path) -> None:
    """For this machine, so what is of RISC-V alone is replaced."""
    clock = block("rcore.md", "rust", "pub fn sys_clock_gettime")
    clock = clock.replace("vdso::{VdsoDataPage, counter}", "vdso::VdsoDataPage").replace("use core::arch::asm;\n", "")
    clock, replaced = re.subn(r"unsafe \{ asm!.*? \};", "", clock)
    assert replaced == 1
    module = (blob / "vdso.rs").read_text()
    write(tmp_path, {"lib.rs": RCORE, "vclock.rs": f"{clock}\nfn counter() -> u64 {{ 0 }}\n", "vdso.rs": module})
    compiled(tmp_path, "rustc", "--edition", "2021", "--crate-type", "lib", "lib.rs")


KERNEL_C = """
#include "vdso.h"
struct timespec { int64_t tv_sec, tv_nsec; };
int other_clock(int clock, struct timespec *out);
"""
KERNEL_RUST = """
mod vdso;
mod fake { pub fn counter() -> u64 { 0 } }
fn other_clock(_clock: i32) -> Option<(i64, u32)> { None }
"""


def test_a_kernel_without_a_data_page(tmp_path: Path) -> None:
    blob = build(tmp_path / "blob", BASE, "DATA_PAGE=none", "TIMEBASE_HZ=10000000")
    page = (ROOT / "docs" / "your-kernel.md").read_text()
    ((c,), (rust,)) = (re.findall(rf"^```{language}\n(.*?)^```$", page, re.M | re.S) for language in ("c", "rust"))
    write(tmp_path, {"kernel.c": KERNEL_C + c, "lib.rs": KERNEL_RUST + rust.replace("vdso::counter()", "fake::counter()")})
    write(tmp_path, {name: (blob / name).read_text() for name in ("vdso.h", "vdso.rs")})
    compiled(tmp_path, *CC, "kernel.c")
    compiled(tmp_path, "rustc", "--edition", "2021", "--crate-type", "lib", "lib.rs")


def test_each_guide_says_what_it_was_tried_on() -> None:
    for guide in GUIDES.glob("*.md"):
        text = guide.read_text()
        assert re.search(r"\b[0-9a-f]{40}\b", text), f"{guide.name}: of which commit?"
        assert re.search(r"^(Tried|\*\*Not tried)", text, re.M), guide.name
        assert ("lines" in text and "minutes" in text) or "**Not tried" in text, guide.name
