# SPDX-License-Identifier: MIT
"""The test machine of LoongArch: one CPU in QEMU for programs, which stops after each instruction.

A small program maps the image with its data page, a stack and a buffer, and then waits for ever. This process holds QEMU by the
protocol of gdb: it sets registers, steps, and plays reads of the counter and system calls. What is mapped are files that both
processes share, in pages of 16 KiB, as QEMU 7.2 has them. So this process looks at each access, and refuses one to memory that
a kernel would not have mapped, or not for it.
"""

from __future__ import annotations

import mmap
import socket
import struct
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile
from one_cpu import BUFFER, LIMIT, LOAD, MASK, PAGE, RETURN, STACK, CounterTrap, OneCpu, Result, Stopped
from vdso.arch.effects import Memory
from vdso.arch.loongarch64.decode import NAMES, decode

QEMU = "qemu-loongarch64"
RDTIME_MASK, RDTIME = 0xFFFFFFE0, 0x00006800
SYSCALL = 0x002B0000
A0, A7, RA, SP = NAMES.index("a0"), NAMES.index("a7"), NAMES.index("ra"), NAMES.index("sp")
PC = 33  # in the order of gdb, behind a copy of a0
SAVED = tuple(NAMES.index(name) for name in ("sp", "tp", "r21", "fp", *(f"s{i}" for i in range(9))))
TEMPORARY = tuple(NAMES.index(f"t{i}") for i in range(9))
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
SHARED, FIXED = 1, 16
NR_OPENAT, NR_MMAP = 56, 222
QEMU_PAGE = 0x4000


class Gdb:
    """The protocol of gdb with a QEMU (GDB manual, "Remote Protocol")."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        for _ in range(600):
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                time.sleep(0.05)
        self._got = b""

    def ask(self, text: str) -> str:
        """Send a packet and return the answer."""
        data = text.encode()
        self._socket.sendall(b"$%s#%02x" % (data, sum(data) & 0xFF))
        while b"#" not in self._got or len(self._got) < self._got.index(b"#") + 3:
            more = self._socket.recv(65536)
            if not more:
                raise Stopped("QEMU has ended")
            self._got += more
        end = self._got.index(b"#")
        answer = self._got[self._got.index(b"$") + 1 : end].decode()
        self._got = self._got[end + 3 :]
        self._socket.sendall(b"+")
        return answer

    def registers(self) -> list[int]:
        """Return the registers in the order of gdb."""
        data = bytes.fromhex(self.ask("g"))
        return list(struct.unpack(f"<{len(data) // 8}Q", data))

    def set_registers(self, values: Sequence[int]) -> None:
        """Set all registers. QEMU 7.2 takes the one before pc for pc, since it stores no copy of a0."""
        data = struct.pack(f"<{len(values)}Q", *values[: PC - 1], values[PC], *values[PC:])
        assert self.ask(f"G{data.hex()}") == "OK"

    def step(self) -> None:
        """Execute one instruction."""
        answer = self.ask("s")
        if not answer.startswith("T05"):
            raise Stopped(answer)

    def close(self) -> None:
        self._socket.close()


class Machine(OneCpu):
    """A CPU. Its calling convention is that of the LoongArch psABI. QEMU ends with this object, if not by close() before."""

    def __init__(
        self, image: bytes, data_offset: int | None = None, load: int = LOAD, counter_offset: int | None = None
    ) -> None:
        assert counter_offset is None, "the counter is an instruction"
        self._image, self.load = image.ljust(-(-len(image) // PAGE) * PAGE, b"\0"), load
        self._data = None if data_offset is None else load + data_offset
        self._start = min(load, load if self._data is None else self._data) // QEMU_PAGE * QEMU_PAGE
        end = max(load + len(self._image), 0 if self._data is None else self._data + PAGE)
        self._folder = tempfile.TemporaryDirectory(prefix="scons-vdso-cpu-")
        self._map = self._file("map", -(-(end - self._start) // QEMU_PAGE) * QEMU_PAGE)
        self._map[load - self._start : load - self._start + len(self._image)] = self._image
        self._buffer = self._file("buffer", QEMU_PAGE)
        self._file("stack", QEMU_PAGE)
        path = Path(self._folder.name, "gdb")
        command = [QEMU, "-g", path, self._program()]
        self._qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        self._gdb = Gdb(path)
        self.close = weakref.finalize(self, _end, self._qemu, self._gdb, self._folder)
        while self._gdb.registers()[PC] != self._ready:
            self._gdb.step()
        self._at_start = self._gdb.registers()

    def _file(self, name: str, size: int) -> mmap.mmap:
        path = Path(self._folder.name, name)
        path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            return mmap.mmap(file.fileno(), size)

    def _program(self) -> Path:
        """Return a program that maps all parts and waits."""
        parts = [
            ("map", self._start, len(self._map), PROT_READ | PROT_EXEC),
            ("buffer", BUFFER, QEMU_PAGE, PROT_READ | PROT_WRITE),
            ("stack", STACK, QEMU_PAGE, PROT_READ | PROT_WRITE),
        ]
        lines = [".globl _start, ready", "_start:"]
        for number, (_name, at, size, access) in enumerate(parts):
            mode = 2 if access & PROT_WRITE else 0
            lines += ["li.w $a0, -100", f"la.pcrel $a1, name{number}", f"li.w $a2, {mode}", f"li.w $a7, {NR_OPENAT}"]
            lines += ["syscall 0", "move $a4, $a0", f"li.d $a0, {at:#x}", f"li.d $a1, {size}", f"li.w $a2, {access}"]
            lines += [f"li.w $a3, {SHARED | FIXED}", "move $a5, $zero", f"li.w $a7, {NR_MMAP}", "syscall 0"]
            lines += [f"li.d $t0, {at:#x}", f"beq $a0, $t0, good{number}", "break 0", f"good{number}:"]
        lines += ["ready: b ready", ".data"]
        lines += [f'name{number}: .asciz "{self._folder.name}/{name}"' for number, (name, *_) in enumerate(parts)]
        source, made, linked = (Path(self._folder.name, f"program{end}") for end in (".s", ".o", ""))
        source.write_text("\n".join(lines) + "\n")
        subprocess.run(["clang-19", "--target=loongarch64-unknown-none", "-c", "-o", made, source], check=True)
        subprocess.run(["ld.lld-19", "-Ttext=0x120000000", "-o", linked, made], check=True)
        with linked.open("rb") as file:
            (ready,) = ELFFile(file).get_section_by_name(".symtab").get_symbol_by_name("ready")
        self._ready = ready["st_value"]
        return linked

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def set_page(self, page: bytes) -> None:
        assert self._data is not None
        self._map[self._data - self._start : self._data - self._start + PAGE] = page

    def call(
        self,
        address: int,
        *arguments: int,
        counter: int | None = 0,
        answer: int = 0,
        before_load: Callable[[int], bytes | None] | None = None,
    ) -> Result:
        registers = list(self._at_start)
        for number in range(1, 32):
            registers[number] = 0x5AFE_0000 + number
        for index in range(8):
            registers[A0 + index] = (arguments[index] if index < len(arguments) else 0xDEAD_0000 + index) & MASK
        registers[RA], registers[SP], registers[PC] = RETURN, STACK + PAGE - 64, self.load + address
        saved = [registers[number] for number in SAVED]
        self._buffer[:PAGE] = b"\xa5" * PAGE
        syscalls: list[tuple[int, tuple[int, ...]]] = []
        count = loaded = 0
        changed = True  # in `registers`, and not yet in QEMU
        while registers[PC] != RETURN:
            count += 1
            assert count <= LIMIT, f"still running after {LIMIT} instructions"
            at = registers[PC] - self.load
            if not 0 <= at < len(self._image):
                raise Stopped(f"control leaves the image for {registers[PC]:#x}")
            word = int.from_bytes(self._image[at : at + 4], "little")
            if word & RDTIME_MASK == RDTIME or word == SYSCALL:
                if word == SYSCALL:
                    syscalls.append((registers[A7], tuple(registers[A0 : A0 + 6])))
                    registers[A0] = answer & MASK
                    for number in TEMPORARY:
                        registers[number] = 0xBAD_0000 + number
                elif counter is None:
                    raise CounterTrap
                elif word & 31:
                    registers[word & 31] = counter
                registers[PC] += 4
                changed = True
                continue
            if self._loads(at, registers):
                page = before_load(loaded) if before_load is not None else None
                loaded += 1
                if page is not None:
                    self.set_page(page)
            if changed:
                self._gdb.set_registers(registers)
            self._gdb.step()
            registers, changed = self._gdb.registers(), False
        assert [registers[number] for number in SAVED] == saved, "a register that the caller owns was changed"
        value = registers[A0]
        return Result(value - (value >> 63 << 64), count, tuple(syscalls), bytes(self._buffer[:PAGE]))

    def _loads(self, at: int, registers: Sequence[int]) -> bool:
        """Tell whether the instruction at `at` loads from the data page. Stopped for an access that no kernel allows."""
        decoded = decode(self._image, at)
        effect = decoded[1] if decoded else None
        if not isinstance(effect, Memory):
            return False
        index = registers[NAMES.index(effect.index)] if effect.index else 0
        address = registers[NAMES.index(effect.base)] + index + effect.offset & MASK
        of_page = self._data is not None and self._data <= address < self._data + PAGE
        read_only = of_page or self.load <= address < self.load + len(self._image)
        if not any(start <= address < start + PAGE for start in (BUFFER, STACK)) and (effect.stores or not read_only):
            raise Stopped(f"{'a store to' if effect.stores else 'a load from'} {address:#x}")
        return of_page


def _end(qemu: subprocess.Popen[bytes], gdb: Gdb, folder: tempfile.TemporaryDirectory[str]) -> None:
    qemu.kill()  # first: without gdb it would go on where it is
    qemu.wait()
    gdb.close()
    folder.cleanup()
