# SPDX-License-Identifier: MIT
"""SCons tool: makes a vDSO for a kernel that is not Linux, from a Linux vDSO with time functions of our own.

``env.Vdso(outdir, base, VDSO_LOAD_ADDR=..., VDSO_POLICY=...)`` makes vdso.so, vdso.h, vdso.rs, vdso.S and vdso.json in
``outdir`` and returns their nodes in that order. ``base`` is a file that holds a vDSO, ``debian``, ``debian:SUITE`` or
``minimal``. ``env.VdsoBase(target, base)`` makes only the base, ``env.VdsoSelftest(target)`` the program that tests a
kernel, ``env.VdsoReport(target, outputs)`` a page about the outputs of ``env.Vdso``, ``env.VdsoDist(outdir, base)`` archives
for others. The rest is private. docs/scons.md lists the construction variables that the tool sets and uses.

This module and `scons/` alone import SCons. The rest of the package is a plain library, whose way in is `pipeline`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from SCons.Errors import StopError
from SCons.Util import CLVar

from . import layout, variables
from .arch import ARCHES
from .emit import provenance
from .errors import VdsoError
from .packages import require_packages
from .paths import FREESTANDING, SOURCES
from .scons import builders, nodes
from .stubs import toolchain


def vdso(env: Any, outdir: Any, base: Any, **overrides: Any) -> Any:
    """Return the nodes of the five outputs: ``env.Vdso(outdir, base, VDSO_...=...)``. Each line is a step of the pipeline."""
    env = nodes.configured(env, overrides)
    out = nodes.out_folder(env, outdir)

    base_so = nodes.base_node(env, out.File(layout.BASE), base)
    objects = nodes.stub_objects(env, out.Dir(layout.WORK))
    plan, script = env.VdsoPlace([out.File(layout.PLAN), out.File(layout.SCRIPT)], [base_so, objects])
    link = env.VdsoUsersLink if any(builders.is_users(node) for node in objects) else env.VdsoLink
    linked = link(out.File(layout.LINKED), [script, objects])
    image = env.VdsoSplice([out.File(layout.IMAGE), out.File(layout.IMAGE_FACTS)], [base_so, linked, plan])
    outputs = env.VdsoEmit([out.File(name) for name in layout.OUTPUTS], [*image, *nodes.users_sources(env, objects)])

    env.Depends(outputs, env.Value(f"our sources {provenance.sources_digest(env['VDSO_ARCH'])}"))
    env.Precious(outputs)  # otherwise SCons would delete the good outputs before an action that may fail
    return outputs


def vdso_base(env: Any, target: Any, base: Any) -> Any:
    """Return the node of the base alone: ``env.VdsoBase(target, base)``."""
    return nodes.base_node(nodes.configured(env, {}), target, base)


def vdso_selftest(env: Any, target: Any, **overrides: Any) -> Any:
    """Return the node of a static program that tests how a kernel uses a vDSO: ``env.VdsoSelftest(target)``."""
    env = nodes.configured(env, overrides)
    arch = ARCHES[env["VDSO_ARCH"]]
    flags = arch.compilers.flags(str(env["VDSO_CC"])).program
    own, machine = SOURCES / "selftest", SOURCES / arch.name / "selftest"
    folders = [own, machine, SOURCES, SOURCES / arch.name]
    env = env.Override(
        {
            "VDSO_CCFLAGS": [*env["VDSO_CCFLAGS"], *toolchain.PROGRAM_CCFLAGS, *flags],
            "VDSO_LDFLAGS": CLVar(list(toolchain.PROGRAM_LDFLAGS)),
            "VDSO_INCLUDES": [*(f"-I{folder}" for folder in folders), "-idirafter", str(FREESTANDING)],
            "VDSO_DEFINES": [],
            "VDSO_STARTS_LIEF": False,
        }
    )
    program = env.arg2nodes(target, env.fs.File)[0]
    work = program.dir.Dir(layout.WORK)
    sources = sorted(path for folder in folders[:2] for suffix in ("c", "S") for path in folder.glob(f"*.{suffix}"))
    objects = [
        env.VdsoObject(work.File(f"selftest_{path.stem}.o"), env.File(str(path)), CPPPATH=[str(f) for f in folders])[0]
        for path in sources
    ]
    return env.VdsoLink(program, [env.File(str(machine / "selftest.lds")), *objects])


def vdso_dist(env: Any, outdir: Any, base: Any, **overrides: Any) -> Any:
    """Return the node of dist/SHA256SUMS, with which archives for others are made: ``env.VdsoDist(outdir, base)``.

    One archive holds what `Vdso` and `VdsoSelftest` make in `outdir`. The other holds a blob from `minimal` with the same
    settings, but without POLICY and EXTRA_SRC, which are for that base. The names of the archives depend on the base, so only
    SHA256SUMS is a node; it lists them.
    """
    from .release import archive  # imported late: a build without archives must not pay for it

    out = nodes.out_folder(env, outdir)
    folders = [out]
    if str(base) != "minimal":
        folders.append(out.Dir(layout.MINIMAL))
        vdso(env, folders[-1], "minimal", **{**overrides, "VDSO_POLICY": "", "VDSO_EXTRA_SRC": ""})
    sources = [folder.File(name) for folder in folders for name in (*layout.OUTPUTS, layout.BASE)]
    sources.append(out.File(layout.SELFTEST))
    if str(base).partition(":")[0] == "debian":
        sources.append(out.File(layout.FETCHED))
    sums = out.File(layout.SUMS)
    texts = [env.File(str(path)) for path in archive.licences(own=False).values()]
    archives = nodes.configured(env, overrides).VdsoRelease(sums, [*sources, *texts])
    env.Precious(archives)  # the next build reads SHA256SUMS, and deletes archives that are no longer made
    env.Clean(archives, [sums.dir.File(name) for name in archive.listed(Path(sums.abspath))])
    if not archive.intact(Path(sums.abspath)):
        env.AlwaysBuild(archives)
    return archives


def vdso_report(env: Any, target: Any, outputs: Any) -> Any:
    """Return the node of one HTML page about the image whose outputs these are: ``env.VdsoReport(target, outputs)``.

    The outputs must lie where `vdso` puts them: the page also shows the base and the plan, which `layout` finds beside them.
    """
    image, facts = outputs[0], outputs[layout.OUTPUTS.index(layout.JSON)]
    out = image.dir
    node = env.VdsoPage(target, [image, facts, out.File(layout.BASE), out.File(layout.PLAN)])
    env.Precious(node)
    return node


def generate(env: Any) -> None:
    """Set construction variables, builders and methods. SCons calls this. StopError where a Python package is missing."""
    env.EnsurePythonVersion(3, 10)
    env.EnsureSConsVersion(4, 4)
    try:
        require_packages()
    except VdsoError as error:
        raise StopError(str(error)) from None
    env.PrependENVPath("PATH", os.environ.get("PATH", ""))
    env.SetDefault(**variables.defaults(), **builders.defaults())
    env["BUILDERS"].update(builders.builders(provenance.build_digest()))
    env.AddMethod(vdso, "Vdso")
    env.AddMethod(vdso_base, "VdsoBase")
    env.AddMethod(vdso_selftest, "VdsoSelftest")
    env.AddMethod(vdso_dist, "VdsoDist")
    env.AddMethod(vdso_report, "VdsoReport")


def exists(_env: Any) -> bool:
    """Tell SCons that the tool can be used."""
    return True
