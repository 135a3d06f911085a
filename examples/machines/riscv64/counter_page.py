# SPDX-License-Identifier: MIT
"""Opens the page of mtime to the kernel and to programs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..machine import GuestError

MTIME_PAGE, PAGE_ORDER = 0x200B000, 12
READ, ALL = 0x09, 0x3F
"""Access to a region: three bits of M mode, and from bit 3 on those of S and U mode (OpenSBI 1.6, sbi_domain.h).

In OpenSBI 1.1 the lower three are those of S and U mode, and bit 3 holds M mode to them too, which does it no harm here.
"""


def open_counter_page(machine: Sequence[str], tree: Path) -> Path:
    """Write the device tree of QEMU with these words to `tree`, and let OpenSBI open the page of mtime to S and U mode.

    Return `tree`. OpenSBI keeps the whole CLINT to itself by PMP. A domain that the device tree describes gets other regions;
    of two that overlap, the smaller one counts (docs/counter.md).
    """
    tree.parent.mkdir(parents=True, exist_ok=True)
    _run(*machine, "-machine", f"dumpdtb={tree}")
    harts = [f"/cpus/{node}" for node in _run("fdtget", "-l", tree, "/cpus").split() if node.startswith("cpu@")]
    phandles = [_run("fdtget", "-t", "x", tree, hart, "phandle").strip() for hart in harts]
    domains, mtime, everything, kernel = "/chosen/opensbi-domains", "f0", "f1", "f2"
    _node(tree, domains, compatible="opensbi,domain,config")
    page = {"base": ["0", f"{MTIME_PAGE:x}"], "order": [f"{PAGE_ORDER:x}"], "mmio": [], "phandle": [mtime]}
    _node(tree, f"{domains}/mtime", page, compatible="opensbi,domain,memregion")
    rest = {"base": ["0", "0"], "order": ["40"], "phandle": [everything]}
    _node(tree, f"{domains}/everything", rest, compatible="opensbi,domain,memregion")
    domain = {
        "possible-harts": phandles,
        "boot-hart": phandles[:1],
        "regions": [mtime, f"{READ:x}", everything, f"{ALL:x}"],
        "next-mode": ["1"],
        "system-reset-allowed": [],
        "phandle": [kernel],
    }
    _node(tree, f"{domains}/kernel", domain, compatible="opensbi,domain,instance")
    for hart in harts:
        _run("fdtput", "-t", "x", tree, hart, "opensbi-domain", kernel)
    return tree


def _node(tree: Path, path: str, cells: Mapping[str, Sequence[str]] | None = None, *, compatible: str) -> None:
    """Add a node to a device tree. `cells`: property to hexadecimal cells."""
    _run("fdtput", "-c", tree, path)
    _run("fdtput", "-t", "s", tree, path, "compatible", compatible)
    for name, values in (cells or {}).items():
        _run("fdtput", "-t", "x", tree, path, name, *values)


def _run(*command: str | Path) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise GuestError(f"{command[0]}: not found; ./sconsw --install demo, or install device-tree-compiler") from None
    if done.returncode != 0:
        raise GuestError(f"{' '.join(map(str, command))}: status {done.returncode}: {done.stderr.strip()}")
    return done.stdout
