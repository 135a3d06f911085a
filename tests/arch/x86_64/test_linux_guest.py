# SPDX-License-Identifier: MIT
"""What the guest's kernel knows of the inside of its own vDSO is gone when another lies in its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from arch.x86_64.linux_guest import LINUX
from debian_packages import kernel_image, kernel_vdso
from kernels.program_builds import static
from vdso.arch.x86_64.facts import X86_64

pytestmark = pytest.mark.xdist_group("qemu")


def test_it_patches_nothing(tmp_path: Path) -> None:
    """Its own vDSO, put there as if it were another one, stays as it is in the file. Else Linux patches it."""
    base = kernel_vdso(X86_64)
    kernel = LINUX.put_vdso(kernel_image(X86_64), base, base)
    dump = static("dump", "glibc", X86_64.name)
    assert not LINUX.boot(tmp_path, kernel, {"dump": dump}, [["dump"]]).patched(base)
