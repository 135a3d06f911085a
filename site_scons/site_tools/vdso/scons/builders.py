# SPDX-License-Identifier: MIT
"""Builders and their actions: compiler commands, and steps of the library, imported only when there is work."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from SCons.Action import Action
from SCons.Builder import Builder
from SCons.Errors import BuildError
from SCons.Scanner.C import CScanner
from SCons.Util import CLVar

from .. import variables
from ..arch import ARCHES
from ..errors import VdsoError
from ..paths import FREESTANDING, ROOT, SOURCES
from ..stubs import included, toolchain
from .files import write_files

if TYPE_CHECKING:
    from . import steps

USERS = "vdso_users"
"""Attribute of a node: the user wrote its source."""
OBJECTS = "vdso_objects"
"""Attribute of a source: the nodes of its objects, by name and flags."""


def defaults() -> dict[str, Any]:
    """Return the construction variables of the commands, and the quiet lines that are printed in their place."""
    return dict(
        VDSO_LDFLAGS=CLVar(list(toolchain.LDFLAGS)),
        VDSO_INCLUDES=[f"-I{SOURCES}", f"-I{SOURCES}/$VDSO_ARCH", "-idirafter", str(FREESTANDING)],
        VDSO_MAP=[f"-ffile-prefix-map={ROOT}/="],
        VDSO_CCCOM="$VDSO_CC $VDSO_CCFLAGS $VDSO_DEFINES $( $VDSO_INCLUDES $VDSO_MAP -MMD -MT made -MF ${TARGETS[1]} $) "
        "-c -o $TARGET $SOURCE",
        VDSO_LDCOM="$VDSO_LD $VDSO_LDFLAGS -T $SOURCE -o $TARGET ${SOURCES[1:]}",
        VDSOEXTRACTCOMSTR="  EXTRACT $TARGET",
        VDSOFETCHCOMSTR="  FETCH   $TARGET",
        VDSOCCCOMSTR="  CC      $TARGET",
        VDSOPLACECOMSTR="  PLACE   $TARGET",
        VDSOLDCOMSTR="  LD      $TARGET",
        VDSOSPLICECOMSTR="  SPLICE  $TARGET",
        VDSOEMITCOMSTR="  EMIT    ${TARGET.dir}/vdso.{so,h,rs,S,json}",
        VDSODISTCOMSTR="  DIST    ${TARGET.dir}",
        VDSOREPORTCOMSTR="  REPORT  $TARGET",
    )


def builders(code: str) -> dict[str, Any]:
    """Return the tool's builders by name. `code`: the digest of our own code, on which its outputs depend."""

    def ours(action: Any) -> Any:
        def depends_on_code(target: Any, source: Any, env: Any) -> tuple[Any, Any]:
            env.Depends(target, env.Value(f"scons-vdso's own code, SHA-256 {code}"))
            return target, source

        return Builder(action=action, emitter=[depends_on_code, _depends_on_names])

    return {
        "VdsoExtract": ours(_step(lambda: _steps().extract, "$VDSOEXTRACTCOMSTR")),
        "VdsoFetch": Builder(action=_step(lambda: _steps().fetch, "$VDSOFETCHCOMSTR", "BASE", "MIRROR")),
        "VdsoObject": _object(users=False),
        "VdsoUsersObject": _object(users=True),
        "VdsoPlace": ours(
            _step(lambda: _steps().place, "$VDSOPLACECOMSTR", "DATA_PAGE", "PAGE_SIZE", "COUNTER", "POLICY", starts_lief=True)
        ),
        "VdsoLink": _link(users=False),
        "VdsoUsersLink": _link(users=True),
        "VdsoSplice": ours(_step(lambda: _steps().splice, "$VDSOSPLICECOMSTR", "DATA_PAGE")),
        "VdsoEmit": ours(_step(lambda: _steps().emit, "$VDSOEMITCOMSTR", "LOAD_ADDR", "TIMEBASE_HZ", "CC", "LD")),
        "VdsoRelease": ours(_step(lambda: _steps().dist, "$VDSODISTCOMSTR")),
        "VdsoPage": ours(_step(lambda: _steps().report, "$VDSOREPORTCOMSTR")),
    }


def _object(users: bool) -> Any:
    explain = _explain("compiler", users)
    action = [*_command("$VDSO_CCCOM", "$VDSOCCCOMSTR", before=_start_lief, exitstatfunc=explain), Action(_record, None)]
    return Builder(action=action, emitter=[_with_record, _depends_on_names, _depends_on_program("VDSO_CC")], **_including())


def _link(users: bool) -> Any:
    action = _command("$VDSO_LDCOM", "$VDSOLDCOMSTR", exitstatfunc=_explain("ld", users))
    return Builder(action=action, emitter=[_depends_on_names, _depends_on_program("VDSO_LD")])


def _including() -> dict[str, Any]:
    return {"source_scanner": CScanner(), "CPPPATH": [str(SOURCES), f"{SOURCES}/$VDSO_ARCH", str(FREESTANDING)]}


def _depends_on_program(variable: str) -> Any:
    """Return an emitter that makes a program of the machine an input: where it lies, its size and its time.

    SCons would read and hash all of it for each build. Who installs another version changes one of the three.
    """

    def emitter(target: Any, source: Any, env: Any) -> tuple[Any, Any]:
        env.Depends(target, env.Value(f"the program {toolchain.identity(env.subst('$' + variable), path(env))}"))
        return target, source

    return emitter


def _depends_on_names(target: Any, source: Any, env: Any) -> tuple[Any, Any]:
    """Make the names of the sources an input, those that they were made from: SCons compares sources by what is in them."""
    names = (str((node.sources or [node])[0]) for node in source)
    env.Depends(target, env.Value(f"the names {', '.join(names)}"))
    return target, source


def _steps() -> Any:
    from . import steps

    return steps


def _step(find_step: Callable[[], Any], comstr: str, *uses: str, starts_lief: bool = False) -> Any:
    """Return the SCons action of a step.

    find_step       imports the library, and returns the step's function
    uses            the construction variables that the step needs, without `VDSO_`
    starts_lief     LIEF's process is started before the step, since it takes longest to be ready
    """
    names = tuple(variables.PREFIX + name for name in ("ARCH", *uses))

    def run(target: Any, source: Any, env: Any) -> None:
        if starts_lief:
            _start_lief(target, source, env)
        settings = {name.removeprefix(variables.PREFIX): str(env.get(name, "")) for name in names}
        settings["PATH"] = path(env)
        settings["SILENT"] = "1" if env.GetOption("silent") else ""
        step = find_step()
        try:
            step([Path(str(node)) for node in target], [_source(node) for node in source], settings)
        except VdsoError as error:
            raise build_error(target[0], error) from None

    return Action(run, comstr, varlist=list(names))


def path(env: Any) -> str:
    """Return where programs are searched."""
    return str(env["ENV"].get("PATH", ""))


def is_users(node: Any) -> bool:
    """Tell whether the user wrote what `node` was made from."""
    return bool(getattr(node.attributes, USERS, False))


def _source(node: Any) -> steps.Source:
    made_from = node.sources[0] if node.sources else node
    from .steps import Source

    return Source(Path(str(node)), str(made_from), is_users(node))


def build_error(node: Any, error: VdsoError) -> BuildError:
    """Return the exception that tells SCons of a user's mistake in an action: one line, no traceback."""
    return BuildError(node=node, errstr=error.reason, filename=error.file, status=2)


def _command(line: str, comstr: str, before: Any = None, **kw: Any) -> list[Any]:
    """Return the actions of a compiler's command: `before` runs first, if there is a compiler."""
    return [_REFUSE_WITHOUT_COMPILER, *([Action(before, None)] if before else []), Action(line, comstr, **kw)]


def _refuse_without_compiler(target: Any, source: Any, env: Any) -> None:
    if not env["VDSO_FOUND"]:
        raise build_error(target[0], toolchain.missing(ARCHES[env["VDSO_ARCH"]], env["VDSO_CROSS_COMPILE"], path(env)))


def _start_lief(target: Any, source: Any, env: Any) -> None:
    """Start LIEF's process, since it takes longest to be ready: who compiles stubs makes an image."""
    if env["VDSO_STARTS_LIEF"]:
        from ..splice import lief_write

        lief_write.start()


def _with_record(target: Any, source: Any, env: Any) -> tuple[Any, Any]:
    """Add the record of what the object is made from; where a file of it has changed since, the object is made anew."""
    kept = target[0].dir.File(included.record_of(target[0].name))
    if included.changed(Path(kept.abspath), Path(env.Dir("#").abspath)):
        env.AlwaysBuild([target[0], kept])
    return [target[0], kept], source


def _record(target: Any, source: Any, env: Any) -> None:
    rule = Path(str(target[1]))
    text = rule.read_text(errors="surrogateescape") if rule.exists() else ""
    seen = [Path(str(node)) for node in target[0].children()]
    try:
        write_files({rule: included.record(Path(str(source[0])), text, seen)})
    except VdsoError as error:
        raise build_error(target[0], error) from None


_REFUSE_WITHOUT_COMPILER = Action(_refuse_without_compiler, None, varlist=["VDSO_FOUND"])


_TODO = {
    ("compiler", False): "docs/errors.md tells which compilers do",
    ("compiler", True): "there is no C library: docs/user-functions.md tells what can be included",
    ("ld", False): "docs/errors.md tells which linkers do",
    ("ld", True): "docs/user-functions.md tells what code of EXTRA_SRC can't do",
}
"""What can be done where one of these fails, by whether the user wrote code that it was given."""


def _explain(program: str, users: bool) -> Callable[[int], int]:
    """Return what judges the status of a program of `_TODO`: the program prints why it fails, and SCons only adds `Error 1`."""

    def explain(status: int) -> int:
        if status:
            compiled = "can't be compiled, for the reason that the compiler says above"
            what = compiled if program == "compiler" else "can't be linked, for the reason that ld says above"
            raise BuildError(
                errstr=f"{what}; {_TODO[program, users]}", filename="EXTRA_SRC" if users else "the stubs", status=2
            )
        return status

    return explain


def spawn(_shell: str, _escape: Any, _command: str, words: list[str], environment: dict[str, str]) -> int:
    """Run a command without a shell, so that no character of a file's name is special.

    The child inherits the lock on OUT (`build_memory`), and holds it until it ends.
    """
    environment = {name: value for name, value in environment.items() if name not in toolchain.LEAKS}
    try:
        return subprocess.run(shlex.split(" ".join(words)), env=environment, close_fds=False, check=False).returncode
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 127
