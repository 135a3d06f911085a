#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes the vDSO out of a running Linux. Copy this one file to the machine whose vDSO you want, and run it there:

    python3 dump_vdso.py [FOLDER]

It writes FOLDER/vdso.so (without FOLDER: into the current folder), the base for `./sconsw vdso BASE=vdso.so` on the machine
that builds. Linux's data pages (vvar) are written to files beside it if Linux lets them be read; nothing needs them.

It needs only Python 3.6: boards have old ones.
"""

import platform
import struct
import sys
from pathlib import Path
from typing import NamedTuple

CORE = "take a core file with gdb (generate-core-file) instead"
MACHINES = {62: "x86_64", 183: "aarch64", 243: "riscv64", 258: "loongarch64"}


class Mapping(NamedTuple):
    name: str
    start: int
    size: int


class Stop(Exception):
    """An error that ends this program with one line and status 1."""


def mappings(maps: Path) -> list[Mapping]:
    """Return the vDSO and the data pages of this very process."""
    try:
        lines = maps.read_text(errors="replace").splitlines()
    except OSError as error:
        raise Stop(f"{maps}: can't be read: {error.strerror}; mount -t proc proc /proc") from error
    found = []
    for line in lines:
        place, *_, name = line.split()
        if name == "[vdso]" or name.startswith("[vvar"):
            start, end = (int(address, 16) for address in place.split("-"))
            found.append(Mapping(name.strip("[]"), start, end - start))
    return found


def read_mapping(mem: Path, mapping: Mapping) -> bytes:
    """Return all bytes of a mapping. OSError where Linux does not let them be read."""
    data = b""
    with mem.open("rb", buffering=0) as memory:
        memory.seek(mapping.start)
        while len(data) < mapping.size:
            part = memory.read(mapping.size - len(data))
            if not part:
                raise OSError(0, f"it ends after 0x{len(data):x} bytes")
            data += part
    return data


def vdso_of(proc: Path, found: list[Mapping]) -> bytes:
    """Return the pages of the one vDSO. Stop where there is none, or a 32-bit one."""
    maps, mem = proc / "maps", proc / "mem"
    mapping = next((each for each in found if each.name == "vdso"), None)
    if mapping is None:
        raise Stop(f"{maps}: no [vdso] in it; run this on a Linux with a vDSO (not vdso=0, not qemu-user)")
    where = f"the vDSO, 0x{mapping.size:x} bytes at 0x{mapping.start:x},"
    try:
        data = read_mapping(mem, mapping)
    except OSError as error:
        raise Stop(f"{mem}: {where} can't be read: {error.strerror}; {CORE}") from error
    if not data.startswith(b"\x7fELF"):
        raise Stop(f"{mem}: {where} is no ELF file: it starts with {data[:4].hex()}; {CORE}")
    if data[4] != 2:
        raise Stop(f"{sys.executable}: a 32-bit vDSO, as this Python is a 32-bit program; run it with a 64-bit one")
    return data


def write_file(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        todo = "name a folder that can: python3 dump_vdso.py FOLDER"
        raise Stop(f"{path}: can't be written: {error.strerror}; {todo}") from error


def dump(proc: Path, folder: Path) -> None:
    found = mappings(proc / "maps")
    data = vdso_of(proc, found)
    path = folder / "vdso.so"
    write_file(path, data)
    (number,) = struct.unpack_from("<H" if data[5] == 1 else ">H", data, 18)
    machine = MACHINES.get(number, f"machine 0x{number:x}")
    print(f"{path}: the vDSO of Linux {platform.release()}, {machine}, 0x{len(data):x} bytes")
    for mapping in found:
        if mapping.name == "vdso":
            continue
        try:
            pages = read_mapping(proc / "mem", mapping)
        except OSError:
            print(f"{mapping.name}: 0x{mapping.size:x} bytes that Linux lets nobody read; not needed")
            continue
        beside = folder / f"{mapping.name}.bin"
        write_file(beside, pages)
        print(f"{beside}: Linux's data pages, 0x{len(pages):x} bytes; not needed")
    print("next: copy vdso.so to the machine that builds, and there: ./sconsw vdso BASE=vdso.so")


def main(words: list[str], proc: Path = Path("/proc/self")) -> int:
    if words in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if len(words) > 1 or (words[:1] and words[0].startswith("-")):
        print(f"dump_vdso: {' '.join(words)}: not known; usage: python3 dump_vdso.py [FOLDER]", file=sys.stderr)
        return 2
    try:
        dump(proc, Path(*words))
    except Stop as stop:
        print(f"dump_vdso: {stop}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
