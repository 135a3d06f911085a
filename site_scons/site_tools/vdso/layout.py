# SPDX-License-Identifier: MIT
"""Where things lie in the folder OUT, as paths below it."""

OUTPUTS = SO, HEADER, RUST, ASSEMBLY, JSON = ("vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json")
"""The five outputs, in the order in which `env.Vdso` returns them."""
BASE = "base.so"
REPORT = "report.html"
SELFTEST = "vdso-selftest"
SUMS = "dist/SHA256SUMS"
MINIMAL = "minimal"
"""Folder of the second blob of `dist`, whose base is our own."""

WORK = "work"
"""Folder of the files that only the next step reads, object files among them."""
PLAN, SCRIPT = "work/plan.json", "work/stubs.ld"
LINKED = "work/stubs.elf"
IMAGE, IMAGE_FACTS = "work/image.so", "work/image.json"
FETCHED = "work/base.so.json"
"""The record of a base that was downloaded: from where, and for which settings."""

MEMORY = ".sconsign"
"""SCons's database, to which it adds `.dblite`."""
BUILDING = ".building"
"""An empty file that exists from before the first output of a build until SCons's database is written."""
