# SPDX-License-Identifier: MIT
"""Where things lie in the folder OUT, as paths below it."""

OUTPUTS = SO, HEADER, RUST, ASSEMBLY, JSON = ("vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json")
"""What a kernel uses, in the order in which `env.Vdso` returns it."""
BASE = "base.so"
REPORT = "report.html"
SELFTEST = "vdso-selftest"
SUMS = "dist/SHA256SUMS"
MINIMAL = "minimal"
"""Folder of the second blob of `dist`, whose base is our own."""

WORK = "work"
"""Folder of what only the next step reads; object files lie there too."""
PLAN, SCRIPT = "work/plan.json", "work/stubs.ld"
LINKED = "work/stubs.elf"
IMAGE, IMAGE_FACTS = "work/image.so", "work/image.json"
FETCHED = "work/base.so.json"
"""What is known of a base that was fetched."""

MEMORY = ".sconsign"
"""SCons's database, to which it adds `.dblite`."""
BUILDING = ".building"
"""It lies there from before the first output of a build until SCons's database is written."""
