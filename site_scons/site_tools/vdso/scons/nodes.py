# SPDX-License-Identifier: MIT
"""Parts of the methods of `env`: the settings, checked, the node of the base, and the sources."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from SCons.Errors import StopError
from SCons.Node.FS import Dir, File
from SCons.Util import CLVar

from .. import layout, variables
from ..arch import ARCHES
from ..data_page import DataPage
from ..errors import VdsoError
from ..paths import SOURCES
from ..stubs import included, toolchain
from . import builders, places
from .names import refuse_unknown


def configured(env: Any, overrides: dict[str, Any]) -> Any:
    """Return `env` with the caller's settings, checked, and with the compiler for them. StopError for a wrong setting."""
    try:
        refuse_unknown(env, overrides)
        env = env.Override(overrides) if overrides else env
        variables.refuse_wrong({name: str(env[name]) for name in variables.defaults()})
    except VdsoError as error:
        raise StopError(str(error)) from None
    arch = ARCHES[env["VDSO_ARCH"]]
    found = toolchain.find_compiler(arch, env["VDSO_CROSS_COMPILE"], builders.path(env))
    compiler = found or arch.compilers.called(env["VDSO_CROSS_COMPILE"])[0]
    derived: dict[str, Any] = {
        "VDSO_FOUND": bool(found) or "VDSO_CC" in env,
        "VDSO_DEFINES": [],
        "VDSO_STARTS_LIEF": True,
        "IMPLICIT_COMMAND_DEPENDENCIES": False,  # builders.py has a cheaper one
        "SPAWN": builders.spawn,
        "ESCAPE": shlex.quote,
    }
    if env["VDSO_DATA_PAGE"] == DataPage.NONE:
        derived["VDSO_DEFINES"] += ["-DVDSO_DATA_PAGE_NONE", f"-DVDSO_TIMEBASE_HZ={int(str(env['VDSO_TIMEBASE_HZ']), 0)}"]
    if variables.counter_word(str(env["VDSO_COUNTER"]), arch) is not None:
        derived["VDSO_DEFINES"] += ["-DVDSO_COUNTER_MMIO"]
    ours = {
        "VDSO_CC": compiler.cc,
        "VDSO_LD": compiler.ld,
        "VDSO_CCFLAGS": CLVar([*toolchain.CCFLAGS, *arch.compilers.flags(str(env.get("VDSO_CC", compiler.cc))).stubs]),
    }
    derived |= {name: value for name, value in ours.items() if name not in env}
    if str(env["VDSO_V"]) == "1":
        derived |= {"VDSOCCCOMSTR": None, "VDSOLDCOMSTR": None}
    return env.Override(derived)


def out_folder(env: Any, given: Any) -> Any:
    """Return the node of the folder for all outputs. StopError for a file."""
    node = env.arg2nodes(given, env.fs.Entry)[0]
    if isinstance(node, File) or node.isfile():
        raise StopError(f"{given}: a file; name a folder of its own, as in env.Vdso('build', ...)")
    return env.Dir(given)


def _file(env: Any, given: Any, todo: str) -> Any:
    """Return the node of a file of the caller's, made or there or not. StopError, which ends in `todo`, for a folder."""
    node = env.arg2nodes(given, env.fs.Entry)[0]
    if isinstance(node, Dir) or node.isdir() or node.srcnode().isdir():
        raise StopError(f"{given}: a folder; {todo}")
    return env.arg2nodes(given, env.fs.File)[0]


def base_node(env: Any, target: Any, base: Any) -> Any:
    """Return the node of the base: downloaded once and kept, or extracted from a file, which may be ours."""
    try:
        variables.check_base(str(base))
    except VdsoError as error:
        raise StopError(str(error)) from None
    word = str(base).partition(":")[0]
    if word == "debian":
        # A change of our code does not rebuild the node: that would move the user to another Linux.
        node = env.arg2nodes(target, env.fs.File)[0]
        record = node.dir.Dir(layout.WORK).File(f"{node.name}.json")
        env.NoClean(env.VdsoFetch([node, record], env.Value(f"{base} {env['VDSO_ARCH']}"), VDSO_BASE=str(base)))
        env.Precious(record)
        node = [node]
    elif word == "minimal":
        # It lies here ready made: not every linker makes shared objects, and each makes other bytes.
        linked = env.File(str(SOURCES / env["VDSO_ARCH"] / "minimal" / "base.so"))
        node = env.VdsoExtract(target, linked)
    else:
        source = _file(env, base, places.A_BASE)
        if not source.has_builder() and not _is_there(source):
            raise StopError(f"{base}: no such file; {places.A_BASE}")
        in_place = source in env.arg2nodes(target, env.fs.File)  # the caller made the base before, or by a VdsoBase
        node = [source] if in_place else env.VdsoExtract(target, source)
    env.Precious(node)
    return node


def stub_objects(env: Any, work: Any) -> list[Any]:
    """Return the object files of the stub sources, ours and then the user's.

    Their names differ before any letter of the user's, so the linker script can find each of them (place/linked.py). Blobs
    whose flags are the same share the objects, which lie in the folder of the first.
    """
    folders = (SOURCES, SOURCES / env["VDSO_ARCH"])
    ours = sorted(path for folder in folders for path in folder.glob("*.c"))
    flags = env.subst("$VDSO_CC $VDSO_CCFLAGS $VDSO_DEFINES $VDSO_INCLUDES $VDSO_MAP")
    key = (str(env["VDSO_CCCOM"]), str(env["VDSO_FOUND"]), str(env["VDSO_V"]), builders.path(env), flags)
    objects = [_object(env.VdsoObject, work.File(f"stub_{path.stem}.o"), env.File(str(path)), key) for path in ours]
    extra = env["VDSO_EXTRA_SRC"]
    for index, given in enumerate(extra.split() if isinstance(extra, str) else extra):
        source = _file(env, given, "name the C files in it")
        try:
            places.refuse_source(Path(str(source)), source.has_builder() or _is_there(source))
        except VdsoError as error:
            raise StopError(str(error)) from None
        node = _object(env.VdsoUsersObject, work.File(f"extra{index}_{Path(str(source)).stem}.o"), source, key)
        setattr(node.attributes, builders.USERS, True)
        objects.append(node)
    return objects


def _object(compile_to: Any, target: Any, source: Any, flags: tuple[str, ...]) -> Any:
    """Return the node of the object that `target` is, or of one of that name that was made of `source` by the same flags."""
    known: dict[tuple[str, ...], Any] = getattr(source.attributes, builders.OBJECTS, {})
    setattr(source.attributes, builders.OBJECTS, known)
    key = (target.name, *flags)
    if key not in known:
        known[key] = compile_to(target, source)[0]
    return known[key]


def users_sources(env: Any, objects: list[Any]) -> list[Any]:
    """Return the user's files whose digests vdso.json has, and the records of what they include.

    The headers of the user are known to nobody before the compiler has read them: the records name them (stubs/included.py).
    """
    users = [node for node in objects if builders.is_users(node)]
    return [node.sources[0] for node in users] + [node.dir.File(included.record_of(node.name)) for node in users]


def _is_there(node: Any) -> bool:
    """Tell whether a file exists. What is in a variant directory may lie only where its source does, for now or for good."""
    return bool(node.srcnode().rexists() or node.rexists())
