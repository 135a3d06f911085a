# SPDX-License-Identifier: MIT
"""The division of the kernel's side, which needs no libgcc, against Python's, also where a guess of a digit is just right."""

from __future__ import annotations

import ctypes
import itertools
import random
import subprocess

import pytest
from repository import INCLUDES

SOURCE = """#include "vdso_data.h"
uint64_t divide(uint64_t high, uint64_t low, uint64_t divisor);
uint64_t divide(uint64_t high, uint64_t low, uint64_t divisor)
{
	return vdso_data_divide((vdso_uint128)high << 64 | low, divisor);
}
"""
TOP, DIGIT = 1 << 64, 1 << 32
LEAST = 1 << 61
DIVISORS = (LEAST, LEAST + 1, LEAST + DIGIT - 1, LEAST + DIGIT, TOP - DIGIT, TOP - DIGIT + 1, TOP - 2, TOP - 1)
QUOTIENTS = (0, 1, DIGIT - 1, DIGIT, DIGIT + 1, 2 * DIGIT, 2 * DIGIT - 1, 3 * DIGIT, TOP - DIGIT, TOP - DIGIT - 1, TOP - 1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("divide")
    (folder / "divide.c").write_text(SOURCE)
    built = folder / "divide.so"
    subprocess.run(["cc", "-O2", "-fPIC", "-shared", *INCLUDES, folder / "divide.c", "-o", built], check=True)
    loaded = ctypes.CDLL(str(built))
    loaded.divide.argtypes, loaded.divide.restype = [ctypes.c_uint64] * 3, ctypes.c_uint64
    return loaded


def test_every_quotient_of_64_bits_is_exact(library: ctypes.CDLL) -> None:
    drawn = random.Random(1)
    divisors = [*DIVISORS, *(drawn.randrange(LEAST, TOP) for _ in range(40))]
    quotients = [*QUOTIENTS, *(drawn.randrange(TOP) for _ in range(40)), *(drawn.randrange(DIGIT) * DIGIT for _ in range(40))]
    for divisor, quotient in itertools.product(divisors, quotients):
        for rest in (0, 1, divisor // 2, divisor - 1):
            dividend = quotient * divisor + rest
            assert library.divide(dividend >> 64, dividend % TOP, divisor) == quotient, (divisor, quotient, rest)
