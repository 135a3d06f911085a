# SPDX-License-Identifier: MIT
"""The compilers of an architecture, and the words of CROSS_COMPILE that stand for them.

A word is the prefix of gcc and GNU ld with its last dash, as in Linux. Or it is `llvm`, for clang and lld, of which one
makes code for all architectures; `llvm-18` is clang-18 with ld.lld-18. A folder may stand before it: `/opt/llvm/bin/llvm`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

LLVM = "llvm"
_LLVM_WORD = re.compile(rf"((?:.*/)?){LLVM}(-[0-9]+)?")
# First the release that all is tested with, then the others that know all architectures, at last one without a number.
_RELEASES = ("-19", "-22", "-21", "-20", "-18", "-17", "")


@dataclass(frozen=True)
class Flags:
    """What a family of compilers is told for an architecture.

    stubs       for all code
    program     beyond that, for a program that is small and lies at a low address
    """

    stubs: tuple[str, ...] = ()
    program: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compiler:
    """A compiler and a linker that make the stubs.

    cc, ld      programs
    packages    of Debian, that of the compiler first
    flags       of the compiler
    """

    cc: str
    ld: str
    packages: tuple[str, ...]
    flags: Flags


@dataclass(frozen=True)
class Compilers:
    """The compilers of an architecture.

    words       of CROSS_COMPILE, in the order in which their compilers are looked for
    gnu, llvm   what each family is told
    """

    words: tuple[str, ...]
    gnu: Flags
    llvm: Flags

    def called(self, word: str) -> tuple[Compiler, ...]:
        """Return the compilers that `word` stands for, best first; for "" those of all words of the architecture."""
        if not word:
            return tuple(compiler for each in self.words for compiler in self.called(each))
        llvm = _LLVM_WORD.fullmatch(word)
        if llvm:
            return tuple(self._clang(llvm[1], release) for release in ((llvm[2],) if llvm[2] else _RELEASES))
        name = word.rpartition("/")[2].rstrip("-")
        packages = tuple(f"{program}-{name.replace('_', '-')}" for program in ("gcc", "binutils"))
        if name == f"{os.uname().machine}-linux-gnu":
            packages = ("gcc", "binutils")  # Debian's compiler of the machine itself has this name too
        return (Compiler(f"{word}gcc", f"{word}ld", packages, self.gnu),)

    def flags(self, cc: str) -> Flags:
        """Return what a compiler is told that the user has chosen: its family is known by its name."""
        return self.llvm if "clang" in cc.rpartition("/")[2] else self.gnu

    def _clang(self, folder: str, release: str) -> Compiler:
        return Compiler(f"{folder}clang{release}", f"{folder}ld.lld{release}", (f"clang{release}", f"lld{release}"), self.llvm)
