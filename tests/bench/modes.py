# SPDX-License-Identifier: MIT
"""The blobs that are measured: one base with the data page after it, before it, and without one at several frequencies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vdso.arch import DEFAULT
from vdso.arch.arch import Arch

HERE = Path(__file__).resolve().parent
# A crystal for watches, the usual 10 MHz, nothing round, whole nanoseconds a tick, and the highest there is.
FREQUENCIES = (32768, 10_000_000, 12_345_678, 1_000_000_000, 5_800_000_000)


@dataclass(frozen=True)
class Mode:
    """`hz`: compiled in; None with a data page."""

    data_page: str
    hz: int | None = None

    @property
    def name(self) -> str:
        return self.data_page if self.hz is None else f"none-{self.hz}"

    @property
    def title(self) -> str:
        """Return the name for a person: `none 10 MHz`."""
        if self.hz is None:
            return self.data_page
        unit, size = next((u, s) for u, s in (("GHz", 10**9), ("MHz", 10**6), ("Hz", 1)) if self.hz >= s)
        return f"none {self.hz / size:.10g} {unit}"

    @property
    def settings(self) -> dict[str, str]:
        settings = {"VDSO_DATA_PAGE": self.data_page}
        return settings if self.hz is None else settings | {"VDSO_TIMEBASE_HZ": str(self.hz)}


MODES = (Mode("after"), Mode("before"), *(Mode("none", hz) for hz in FREQUENCIES))


@dataclass(frozen=True)
class Made:
    """A blob: `facts` is its vdso.json."""

    mode: Mode
    folder: Path
    image: bytes
    facts: dict[str, Any]


def make(out: Path, base: str | Path, modes: Iterable[Mode] = MODES, arch: Arch = DEFAULT) -> list[Made]:
    """Make the blobs of all modes by one run of SCons, each in a folder of its own below `out`."""
    modes = tuple(modes)
    words = [
        f"OUT={out}",
        f"ARCH={arch.name}",
        f"BASE={base}",
        "MODES=" + json.dumps({mode.name: mode.settings for mode in modes}),
    ]
    command = [sys.executable, "-m", "SCons", "-Q", "-C", str(HERE), *words]
    environ = {name: value for name, value in os.environ.items() if name != "SCONSFLAGS"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: the blobs can't be made from {base}:\n{done.stdout}{done.stderr}")
    folders = [(mode, out / mode.name) for mode in modes]
    return [
        Made(mode, folder, (folder / "vdso.so").read_bytes(), json.loads((folder / "vdso.json").read_text()))
        for mode, folder in folders
    ]
