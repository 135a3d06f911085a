# SPDX-License-Identifier: MIT
"""SCons tool: a Linux vDSO with time functions of one's own in it, for a kernel that is not Linux.

``env.Vdso(outdir, base, VDSO_LOAD_ADDR=..., VDSO_POLICY=...)`` makes vdso.so, vdso.h, vdso.rs, vdso.S and vdso.json in
``outdir`` and returns their nodes in that order. ``base`` is a file that holds a vDSO, ``debian``, ``debian:SUITE`` or
``minimal``. ``env.VdsoBase(target, base)`` makes only the base, ``env.VdsoSelftest(target)`` the program that tests a
kernel, ``env.VdsoReport(target, outputs)`` a page about what ``env.Vdso`` returned, ``env.VdsoDist(outdir, base)`` archives
for others. The rest is private. The variables that it sets and uses: docs/scons.md; those that have a meaning for the blob:
`variables`.

This is the one module that imports SCons. The rest of the package is a plain library.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from SCons.Action import Action
from SCons.Builder import Builder
from SCons.Errors import BuildError, StopError
from SCons.Scanner.C import CScanner
from SCons.Util import CLVar

from . import inputs, toolchain, variables
from .arch import ARCHES
from .errors import VdsoError
from .inputs import EXTRA, OUTPUTS, ROOT, SOURCES, STUB


def vdso(env: Any, outdir: Any, base: Any, **overrides: Any) -> Any:
    """``env.Vdso(outdir, base, VDSO_...=...)``: the nodes of vdso.so, vdso.h, vdso.rs, vdso.S, vdso.json. A node a line."""
    env = _configured(env, overrides)
    out = env.Dir(outdir)
    work = out.Dir("work")

    base_so = _base(env, out.File("base.so"), base)
    stubs = _stub_sources(env)
    objects = [env.VdsoObject(work.File(name), source)[0] for name, source in stubs]
    plan, script = env.VdsoPlace([work.File("plan.json"), work.File("stubs.ld")], [base_so, objects])
    linked = env.VdsoLink(work.File("stubs.elf"), [script, objects])
    image = env.VdsoSplice([work.File("image.so"), work.File("image.json")], [base_so, linked, plan])
    facts = [*image, *_all_sources(env, stubs, minimal=str(base) == "minimal")]
    outputs = env.VdsoEmit([out.File(name) for name in OUTPUTS], facts)

    env.Precious(outputs)  # SCons would delete the good ones before an action that may fail
    return outputs


def vdso_base(env: Any, target: Any, base: Any) -> Any:
    """``env.VdsoBase(target, base)``: the base alone."""
    return _base(_configured(env, {}), target, base)


def vdso_selftest(env: Any, target: Any, **overrides: Any) -> Any:
    """``env.VdsoSelftest(target)``: a static program that tells on a kernel whether that includes a vDSO rightly."""
    env = _configured(env, overrides)
    arch = ARCHES[env["VDSO_ARCH"]]
    own = SOURCES / "selftest"
    folders = [own, own / arch.name, SOURCES, SOURCES / arch.name]
    env = env.Override(
        {
            "VDSO_CCFLAGS": [*env["VDSO_CCFLAGS"], *toolchain.PROGRAM_CCFLAGS, *arch.program_ccflags],
            "VDSO_LDFLAGS": CLVar(list(toolchain.PROGRAM_LDFLAGS)),
            "VDSO_INCLUDES": [f"-I{folder}" for folder in folders],
            "VDSO_HZ": [],
        }
    )
    program = env.arg2nodes(target, env.fs.File)[0]
    work = program.dir.Dir("work")
    sources = sorted(path for folder in folders[:2] for suffix in ("c", "S") for path in folder.glob(f"*.{suffix}"))
    objects = [
        env.VdsoObject(work.File(f"selftest_{path.stem}.o"), env.File(str(path)), CPPPATH=[str(f) for f in folders])[0]
        for path in sources
    ]
    return env.VdsoLink(program, [env.File(str(own / arch.name / "selftest.lds")), *objects])


def vdso_dist(env: Any, outdir: Any, base: Any, **overrides: Any) -> Any:
    """``env.VdsoDist(outdir, base)``: beside what `Vdso` and `VdsoSelftest` make there, archives for others in ``dist``.

    One is of that blob and one of a blob from `minimal` with the same settings, but without the stubs and policies for
    that base. What they are called, only the base says; the node is dist/SHA256SUMS, which names them.
    """
    from . import release  # archives and all that: only who makes one pays for it

    out = env.Dir(outdir)
    own, folders = out, [out]
    if str(base) != "minimal":
        own = out.Dir("minimal")
        folders.append(own)
        vdso(env, own, "minimal", **{**overrides, "VDSO_POLICY": "", "VDSO_EXTRA_SRC": ""})
    sources = [folder.File(name) for folder in folders for name in (*OUTPUTS, "base.so")] + [out.File("vdso-selftest")]
    if str(base).partition(":")[0] == "debian":
        sources.append(out.Dir("work").File("base.so.json"))
    texts = [ROOT / name for name in release.licences(own=False).values()]
    sums = out.Dir("dist").File(release.SUMS)
    made = env.VdsoRelease(sums, [*sources, *(env.File(str(path)) for path in texts)], VDSO_OWN=str(own))
    env.Precious(made)  # it says which files beside it are of an earlier build
    env.Clean(made, [sums.dir.File(name) for name in release.listed(Path(sums.abspath))])
    if not release.intact(Path(sums.abspath)):
        env.AlwaysBuild(made)
    return made


def vdso_report(env: Any, target: Any, outputs: Any) -> Any:
    """``env.VdsoReport(target, outputs)``: one HTML page about the blob whose outputs these are."""
    image, facts = outputs[0], outputs[4]
    out = image.dir
    node = env.VdsoPage(target, [image, facts, out.File("base.so"), out.Dir("work").File("plan.json")])
    env.Precious(node)
    return node


def _base(env: Any, target: Any, base: Any) -> Any:
    """The node of the base: fetched once and kept, extracted from a file, or linked from a source of our own."""
    try:
        variables.base(str(base))
    except VdsoError as error:
        raise StopError(str(error)) from None
    word = str(base).partition(":")[0]
    if word == "debian":
        # never rebuilt for a change of our code: that would move the user to another Linux
        node = env.arg2nodes(target, env.fs.File)[0]
        record = node.dir.Dir("work").File(f"{node.name}.json")
        env.NoClean(env.VdsoFetch([node, record], env.Value(f"{base} {env['VDSO_ARCH']}"), VDSO_BASE=str(base)))
        env.Precious(record)
        node = [node]
    elif word == "minimal":
        folder = SOURCES / env["VDSO_ARCH"] / "minimal"
        linked = env.arg2nodes(target, env.fs.File)[0].dir.Dir("work").File("minimal.so")
        linked = env.VdsoMinimal(linked, [env.File(str(folder / "vdso.S")), env.File(str(folder / "vdso.lds"))])
        node = env.VdsoExtract(target, linked)
    else:
        source = env.arg2nodes(base, env.fs.File)[0]
        # in a variant directory the file lies where its source does, until SCons copies it or for good
        if not source.has_builder() and not source.srcnode().rexists() and not source.rexists():
            raise StopError(f"{base}: no such file; give a file that holds a vDSO, debian[:SUITE] or minimal")
        lies_there = source in env.arg2nodes(target, env.fs.File)  # made before, or by a VdsoBase of the caller's
        node = [source] if lies_there else env.VdsoExtract(target, source)
    env.Precious(node)
    return node


def _configured(env: Any, overrides: dict[str, Any]) -> Any:
    """`env` with the caller's settings, checked, and the compiler that they lead to."""
    env = env.Override(overrides) if overrides else env
    try:
        variables.check({name: str(env[name]) for name in variables.defaults()})
    except VdsoError as error:
        raise StopError(str(error)) from None
    arch = ARCHES[env["VDSO_ARCH"]]
    prefix = toolchain.find(arch, env["VDSO_CROSS_COMPILE"], env["ENV"]["PATH"])
    derived: dict[str, Any] = {
        "VDSO_PREFIX": prefix or env["VDSO_CROSS_COMPILE"] or arch.prefixes[0],
        "VDSO_FOUND": bool(prefix) or "VDSO_CC" in env,
        "VDSO_HZ": [],
        "SPAWN": _spawn,
        "ESCAPE": shlex.quote,
    }
    if env["VDSO_DATA_PAGE"] == "none":
        derived["VDSO_HZ"] = ["-DVDSO_DATA_PAGE_NONE", f"-DVDSO_TIMEBASE_HZ={int(str(env['VDSO_TIMEBASE_HZ']), 0)}"]
    programs = {"VDSO_CC": "gcc", "VDSO_LD": "ld"}
    derived |= {name: derived["VDSO_PREFIX"] + program for name, program in programs.items() if name not in env}
    if "VDSO_CCFLAGS" not in env:
        derived["VDSO_CCFLAGS"] = CLVar([*toolchain.CCFLAGS, *arch.ccflags])
    if str(env["VDSO_V"]) == "1":
        derived |= {"VDSOCCCOMSTR": None, "VDSOLDCOMSTR": None, "VDSOMINIMALCOMSTR": None}
    return env.Override(derived)


def _stub_sources(env: Any) -> list[tuple[str, Any]]:
    """(name of the object file, source) of every stub: ours, then the user's. No name is the end of another's."""
    folders = (SOURCES, SOURCES / env["VDSO_ARCH"])
    ours = sorted(path for folder in folders for path in folder.glob("*.c"))
    extra = env["VDSO_EXTRA_SRC"]
    users = [env.File(path) for path in (extra.split() if isinstance(extra, str) else extra)]
    named = [(f"{STUB}{path.stem}.o", env.File(str(path))) for path in ours]
    return named + [(f"{EXTRA}{index}_{Path(str(node)).stem}.o", node) for index, node in enumerate(users)]


def _all_sources(env: Any, stubs: list[tuple[str, Any]], minimal: bool) -> list[Any]:
    """All files that vdso.json tells of: ours, also those that are included or filled in, and the user's."""
    ours = [env.File(str(path)) for path in (*inputs.sources(env["VDSO_ARCH"], minimal), *inputs.fixed())]
    return ours + [source for _, source in stubs if source not in ours]


def _spawn(_shell: str, _escape: Any, _command: str, words: list[str], environment: dict[str, str]) -> int:
    """A command without a shell: in a file's name nothing is special. What it inherits is the lock of `guard`."""
    environment = {name: value for name, value in environment.items() if name not in toolchain.LEAKS}
    try:
        return subprocess.run(shlex.split(" ".join(words)), env=environment, close_fds=False, check=False).returncode
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 127


def _step(step: str, *uses: str, show: Callable[..., str] | None = None) -> Any:
    """The SCons action of a step: the library is imported, and LIEF's process started, only when there is work."""
    uses = tuple(variables.PREFIX + name for name in ("ARCH", *uses))

    def run(target: Any, source: Any, env: Any) -> None:
        if step in _BEFORE_SPLICE:
            from . import lief_write

            lief_write.start()
        from . import steps

        settings = {name.removeprefix(variables.PREFIX): str(env.get(name, "")) for name in uses}
        made_from = "\n".join(str(node.sources[0] if node.sources else node) for node in source)
        settings |= {"PATH": env["ENV"]["PATH"], "MADE_FROM": made_from}
        paths = [[Path(str(node)) for node in nodes] for nodes in (target, source)]
        try:
            getattr(steps, step)(*paths, settings)
        except VdsoError as error:
            raise build_error(target[0], error) from None

    run.__name__ = step
    return Action(run, show or f"$VDSO{step.upper()}COMSTR", varlist=list(uses))


def build_error(node: Any, error: VdsoError) -> BuildError:
    """How SCons is told of a user's mistake in an action: one line, no traceback."""
    return BuildError(node=node, errstr=error.reason, filename=error.file, status=2)


def _has_compiler(target: Any, source: Any, env: Any) -> None:
    if not env["VDSO_FOUND"]:
        raise build_error(target[0], toolchain.missing(ARCHES[env["VDSO_ARCH"]], env["VDSO_CROSS_COMPILE"]))


def _builder(action: Any, code: str, **kw: Any) -> Any:
    """A builder whose targets depend on our own code."""

    def emitter(target: Any, source: Any, env: Any) -> tuple[Any, Any]:
        env.Depends(target, env.Value(f"scons-vdso's own code, SHA-256 {code}"))
        return target, source

    return Builder(action=action, emitter=emitter, **kw)


_BEFORE_SPLICE = ("extract", "place_stubs")
_FIND_COMPILER = Action(_has_compiler, None, varlist=["VDSO_FOUND"])


def _command(line: str, comstr: str, **kw: Any) -> list[Any]:
    return [_FIND_COMPILER, Action(line, comstr, **kw)]


def _linked(status: int) -> int:
    """Behind ld's own lines, which name objects and sections: what it means for who wrote a function."""
    if status:
        what = "can't be linked, for the reason that ld says above"
        todo = "docs/user-functions.md tells what code of EXTRA_SRC can't do"
        raise BuildError(errstr=f"{what}; {todo}", filename="the stubs", status=2)
    return status


def generate(env: Any) -> None:
    """Called by SCons: construction variables, builders, and the methods."""
    env.PrependENVPath("PATH", os.environ.get("PATH", ""))
    env.SetDefault(**variables.defaults())
    env.SetDefault(
        VDSO_LDFLAGS=CLVar(list(toolchain.LDFLAGS)),
        VDSO_INCLUDES=[f"-I{SOURCES}", f"-I{SOURCES}/$VDSO_ARCH"],
        VDSO_MAP=[f"-ffile-prefix-map={ROOT}/="],
        VDSO_CCCOM="$VDSO_CC $VDSO_CCFLAGS $VDSO_HZ $( $VDSO_INCLUDES $VDSO_MAP $) -c -o $TARGET $SOURCE",
        VDSO_LDCOM="$VDSO_LD $VDSO_LDFLAGS -T $SOURCE -o $TARGET ${SOURCES[1:]}",
        VDSO_MINIMALCOM="$VDSO_CC $VDSO_CCFLAGS -nostdlib -shared -Wl,-soname,linux-vdso.so.1 -Wl,--hash-style=both "
        "-Wl,--build-id=sha1 -Wl,--eh-frame-hdr -Wl,--no-relax -Wl,-s -Wl,-T,${SOURCES[1]} -o $TARGET $SOURCE",
        VDSOEXTRACTCOMSTR="  EXTRACT $TARGET",
        VDSOFETCHCOMSTR="  FETCH   $TARGET",
        VDSOMINIMALCOMSTR="  LD      $TARGET",
        VDSOCCCOMSTR="  CC      $TARGET",
        VDSOPLACE_STUBSCOMSTR="  PLACE   $TARGET",
        VDSOLDCOMSTR="  LD      $TARGET",
        VDSOSPLICECOMSTR="  SPLICE  $TARGET",
        VDSODISTCOMSTR="  DIST    ${TARGET.dir}",
        VDSOEMITCOMSTR="  EMIT    ${TARGET.dir}/vdso.{so,h,rs,S,json}",
        VDSOREPORTCOMSTR="  REPORT  $TARGET",
    )
    code = inputs.code_and_templates()
    includes = [str(SOURCES), str(SOURCES / env["VDSO_ARCH"])]
    compile_stub = Builder(action=_command("$VDSO_CCCOM", "$VDSOCCCOMSTR"), source_scanner=CScanner(), CPPPATH=includes)
    env["BUILDERS"].update(
        VdsoExtract=_builder(_step("extract"), code),
        VdsoFetch=Builder(action=_step("fetch", "BASE", "MIRROR")),
        VdsoMinimal=Builder(action=_command("$VDSO_MINIMALCOM", "$VDSOMINIMALCOMSTR")),
        VdsoObject=compile_stub,
        VdsoPlace=_builder(_step("place_stubs", "DATA_PAGE", "POLICY"), code),
        VdsoLink=Builder(action=_command("$VDSO_LDCOM", "$VDSOLDCOMSTR", exitstatfunc=_linked)),
        VdsoSplice=_builder(_step("splice"), code),
        VdsoEmit=_builder(_step("emit", "DATA_PAGE", "LOAD_ADDR", "TIMEBASE_HZ", "CC", "LD"), code),
        VdsoRelease=_builder(_step("dist", "OWN"), code),
        VdsoPage=_builder(_step("report"), code),
    )
    env.AddMethod(vdso, "Vdso")
    env.AddMethod(vdso_base, "VdsoBase")
    env.AddMethod(vdso_selftest, "VdsoSelftest")
    env.AddMethod(vdso_dist, "VdsoDist")
    env.AddMethod(vdso_report, "VdsoReport")


def exists(_env: Any) -> bool:
    return True
