# SPDX-License-Identifier: MIT
"""The kernel's side of the clock, C and Rust, compiled for this machine from the real files and called through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

from repository import INCLUDES, SOURCES

HERE = Path(__file__).resolve().parent
PAGE = 4096


def build(folder: Path, header: Path = SOURCES / "vdso_data.h") -> ctypes.CDLL:
    """Build the functions of `header` (vdso_data.h or a generated vdso.h) as a library, in `folder`."""
    return _build(folder, header, "kernel.c")


def build_without_page(folder: Path, header: Path) -> ctypes.CDLL:
    """Build the functions of `header`, a generated vdso.h without a data page, as a library, in `folder`."""
    return _build(folder, header, "kernel_without_page.c")


def _build(folder: Path, header: Path, source: str) -> ctypes.CDLL:
    library = folder / "kernel.so"
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
    command = ["cc", *strict, "-O2", "-fPIC", "-shared", *INCLUDES, f'-DKERNEL_HEADER="{header}"', HERE / source]
    subprocess.run([*command, "-o", library], check=True)
    return ctypes.CDLL(str(library))


def build_rust(folder: Path, module: Path, source: str = "kernel.rs") -> ctypes.CDLL:
    """Build the methods of `module`, a generated vdso.rs, as a library with the names of `source`, in `folder`."""
    shutil.copy(HERE / source, folder / "kernel.rs")
    shutil.copy(HERE / "answer.rs", folder)
    shutil.copy(module, folder / "vdso.rs")
    library = folder / "kernel_rust.so"
    command = ["rustc", "--edition", "2021", "-O", "-C", "debug-assertions=on", "--crate-type", "cdylib", "-D", "warnings"]
    subprocess.run([*command, "-o", library, folder / "kernel.rs"], check=True)
    return ctypes.CDLL(str(library))


class DataPage:
    """One data page. `stale` is what its memory holds before init; `refused`: whether the last change was."""

    def __init__(self, library: ctypes.CDLL, stale: bytes = bytes(PAGE)) -> None:
        self._library = library
        self.refused = False
        self._memory = ctypes.create_string_buffer(PAGE + 64)
        self._at = -(-ctypes.addressof(self._memory) // 64) * 64
        ctypes.memmove(self._at, stale, PAGE)

    def __bytes__(self) -> bytes:
        return ctypes.string_at(self._at, PAGE)

    def set_extra(self, words: bytes) -> None:
        """Write the kernel's own part, at the end of the page."""
        ctypes.memmove(self._at + PAGE - len(words), words, len(words))

    def _call(self, name: str, *arguments: object) -> int:
        result: int = getattr(self._library, name)(ctypes.c_void_p(self._at), *arguments)
        return result

    def _change(self, name: str, *arguments: object) -> None:
        status = self._call(name, *arguments)
        assert status in (0, -1)
        self.refused = status == -1

    def init(self, hz: int) -> DataPage:
        self._change("k_init", ctypes.c_uint64(hz))
        return self

    def begin(self) -> None:
        self._call("k_begin")

    def end(self) -> None:
        self._call("k_end")

    def disable(self) -> None:
        self._call("k_disable")

    def set_realtime(self, counter: int, sec: int, nsec: int) -> DataPage:
        self._change("k_set_realtime", ctypes.c_uint64(counter), ctypes.c_int64(sec), ctypes.c_uint32(nsec))
        return self

    def set_monotonic(self, counter: int, sec: int, nsec: int) -> None:
        self._change("k_set_monotonic", ctypes.c_uint64(counter), ctypes.c_int64(sec), ctypes.c_uint32(nsec))

    def adjust(self, counter: int, ppb: int) -> None:
        self._change("k_adjust", ctypes.c_uint64(counter), ctypes.c_int64(ppb))

    def set_tai_offset(self, sec: int) -> None:
        self._call("k_set_tai_offset", ctypes.c_int32(sec))

    def suspend(self, counter: int) -> None:
        self._change("k_suspend", ctypes.c_uint64(counter))

    def resume(self, counter: int, slept_ns: int) -> None:
        self._change("k_resume", ctypes.c_uint64(counter), ctypes.c_uint64(slept_ns))

    def set_tick(self, counter: int, nsec: int) -> DataPage:
        self._change("k_set_tick", ctypes.c_uint64(counter), ctypes.c_uint32(nsec))
        return self

    def tick(self, counter: int) -> None:
        self._change("k_tick", ctypes.c_uint64(counter))

    def read(self, clock: int, counter: int) -> tuple[int, int] | None:
        """Return (sec, nsec), or None where the kernel must answer by itself."""
        return self._answer("k_read", ctypes.c_int(clock), ctypes.c_uint64(counter))

    def getres(self, clock: int) -> tuple[int, int] | None:
        return self._answer("k_getres", ctypes.c_int(clock))

    def _answer(self, name: str, *arguments: object) -> tuple[int, int] | None:
        sec, nsec = ctypes.c_int64(-77), ctypes.c_uint32(77)
        status = self._call(name, *arguments, ctypes.byref(sec), ctypes.byref(nsec))
        assert status in (0, -1)
        if status:
            assert (sec.value, nsec.value) == (-77, 77), "a refusal must leave the results alone"
            return None
        return sec.value, nsec.value
