# SPDX-License-Identifier: MIT
"""What this checkout's SConstruct does around `env.Vdso`: variables, help, the targets that print, and SCons's settings.

A kernel that builds with SCons calls `env.Vdso` and needs none of these.
"""

from __future__ import annotations

import atexit
import gc
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from SCons.Action import Action
from SCons.Errors import StopError
from SCons.Script import BUILD_TARGETS, GetLaunchDir, GetOption, Help, SConsignFile, SetOption
from SCons.Variables import Variables

from .. import layout, variables
from ..errors import VdsoError
from ..paths import ROOT
from ..suggest import choice
from ..variables import OPTIONS
from . import build_memory, builders, places

TARGETS = {
    "vdso": "make vdso.so, vdso.h, vdso.rs, vdso.S and vdso.json in OUT (default)",
    "info": "show the base: map, exports, policy, addresses outside of it that its code forms",
    "check": "verify any image (IMAGE=file) by the rules of its consumers",
    "report": "make report.html in OUT: map, exports, code before and after, in one page to look at",
    "demo": "boot the example kernels with and without the vDSO: system calls and time of each call",
    "selftest": "make vdso-selftest in OUT, which tests your kernel when you run it there",
    "dist": "make dist/vdso-ARCH-VERSION.tar.gz in OUT and one of minimal: all files, vdso-selftest, SBOM, licences",
    "test": "run the tests (TEST=arguments for pytest), with ARCH those of other architectures left out",
    "bench": "count instructions and cycles a call, ours beside the base's own, and measure build times",
}
_INSTEAD = {"clean": "-c", "distclean": "-c", "help": "-h", "all": "vdso"}
"""Targets of other builds, and what they are here."""
_OF_A_CHECKOUT = {"demo", "test", "bench"}
_MAKE_FILES = {"vdso", "selftest", "report", "dist"}
_KEEP_NOTHING = {"info", "check", "test"}
_MAKE_NO_IMAGE = {*_KEEP_NOTHING, "selftest"}


class CommandLine:
    """The command line of one run. StopError for a variable that is unknown, or whose value can't be.

    out, base       OUT and BASE, as absolute paths where they are files
    settings        the construction variables for `env.Vdso`
    """

    def __init__(self, env: Any, arguments: Mapping[str, str]) -> None:
        parsed = Variables(None, dict(arguments))
        parsed.AddVariables(*((option.name, option.help, option.default) for option in OPTIONS))
        parsed.Update(env)
        Help("Targets:\n" + "".join(f"  {name:12} {text}\n" for name, text in TARGETS.items()))
        Help("Variables (NAME=value):\n" + "".join(f"  {o.name:14}{o.help} [{o.default}]\n" for o in OPTIONS), append=True)
        self._env = env
        self._only = arguments.get("ARCH", "")
        self._targets = set(BUILD_TARGETS) or {"vdso"}
        try:
            self._refuse_unknown(parsed.UnknownVariables())
            self._refuse_unread()
            self._take_paths()
            self._refuse_targets()
            self._begin()
        except VdsoError as error:
            raise StopError(str(error)) from None

    def _refuse_unknown(self, names: Iterable[str]) -> None:
        """Refuse variables of these names."""
        for name in sorted(names):
            known = [option.name for option in OPTIONS]
            raise VdsoError(name, "unknown variable", choice(name.removeprefix(variables.PREFIX), known))

    def _refuse_unread(self) -> None:
        """Refuse variables that no target reads, and words for pytest that a shell could not have given."""
        for name, reader in (("IMAGE", "check"), ("DATA", "check"), ("TEST", "test")):
            if self._env[name] and reader not in self._targets:
                targets = " ".join(sorted(self._targets))
                raise VdsoError(name, f"only {reader} reads it, not {targets}", f"call {reader}, or leave it out")
        try:
            shlex.split(self._env["TEST"])
        except ValueError as error:
            todo = "write it as in TEST=\"-k 'one or two'\""
            raise VdsoError("TEST", f"`{self._env['TEST']}` can't be taken apart: {error}", todo) from None

    def _refuse_targets(self) -> None:
        """Refuse what is neither a target nor a file or folder, and targets that a checkout alone has."""
        for target in sorted(self._targets):
            if target not in TARGETS and not Path(target).suffix and os.sep not in target and here(target) != self.out:
                instead = _INSTEAD.get(target)
                todo = f"here it is `scons {instead}`" if instead else choice(target, TARGETS)
                raise VdsoError(target, "unknown target", todo)
            if target in _OF_A_CHECKOUT and not (ROOT / "examples").is_dir():
                raise VdsoError(target, "needs a checkout of scons-vdso", "clone its repository and call ./sconsw there")

    def _take_paths(self) -> None:
        """Set what the variables say of files and folders, each where the user stands."""
        env = self._env
        self.out = here(env["OUT"])
        places.refuse_out(env["OUT"], Path(self.out))
        if not Path(self.out).exists() and (self._targets <= _KEEP_NOTHING or GetOption("help")):
            self.out = _temporary()
        variables.check_base(env["BASE"])
        self.base = env["BASE"]
        if self.base.partition(":")[0] not in variables.BASE_WORDS:
            self.base = here(self.base)
            places.refuse_base(Path(self.base))
        self.image = here(env["IMAGE"]) if env["IMAGE"] else ""
        if self.image:
            places.refuse_image(Path(self.image))
        self.settings = {variables.PREFIX + option.name: env[option.name] for option in OPTIONS if option.tool}
        sources = [here(path) for path in env["EXTRA_SRC"].split()]
        places.refuse_sources(map(Path, sources))
        self.settings["VDSO_EXTRA_SRC"] = sources

    def file(self, name: str) -> str:
        """Return the path of a file of OUT."""
        return str(Path(self.out, name))

    def asks_for(self, *names: str) -> bool:
        """Tell whether a target or a file with one of these names in it is to be made."""
        return any(name in target for target in self._targets for name in names)

    def printing(self) -> dict[str, tuple[Any, Any]]:
        """Return the targets that print and that are asked for, each with the sources and the action that it has."""
        # SCons takes apart what an action's function refers to: these refer to texts, not to an environment.
        root, out, arch = self._env.Dir("#").abspath, self.out, self._env["ARCH"]
        policy, words, data = self._env["POLICY"], self._env["TEST"], self._env["DATA"]
        image, only = self.image, self._only
        given = {**self.settings, "VDSO_EXTRA_SRC": " ".join(self.settings["VDSO_EXTRA_SRC"])}
        settings = [f"{name.removeprefix(variables.PREFIX)}={value}" for name, value in given.items() if value]
        outputs = [self.file(name) for name in layout.OUTPUTS]
        commands: dict[str, tuple[Any, Callable[..., int]]] = {
            "info": (self.file(layout.BASE), lambda commands, base: commands.info(base, arch, policy)),
            "check": ([], lambda commands: commands.check(image, arch, data)),
            "demo": (outputs, lambda commands, *_: commands.demo(root, out, settings)),
            "bench": (outputs, lambda commands, *_: commands.bench(root, out)),
            "test": ([], lambda commands: commands.test(root, words, only)),
        }
        return {name: (sources, _printing(command)) for name, (sources, command) in commands.items() if name in self._targets}

    def _begin(self) -> None:
        """Set SCons up for this run, and enter OUT if something is to be made there."""
        SetOption("no_progress", True)
        SetOption("max_drift", -1)  # always hash: SCons trusts old time stamps, and all files of a tarball have the same one
        gc.disable()  # a build is short, and SCons keeps most of what it makes
        if self._targets <= _MAKE_FILES:  # the other targets print, so they run in the order given
            SetOption("num_jobs", os.cpu_count() or 1)  # an explicit -j wins
        builds = not any(GetOption(option) for option in ("help", "no_exec", "question", "clean"))
        if builds and not Path(self.out, layout.IMAGE).exists() and self._targets - _MAKE_NO_IMAGE:
            from ..splice import lief_write

            lief_write.start()  # importing LIEF is the slowest part of a clean build, so it starts first
        if builds and self._targets - {"check", "test"}:
            build_memory.enter(Path(self.out))
        # SCons makes the folder of its database at once.
        SConsignFile(str(Path(self.out if Path(self.out).exists() else _temporary(), layout.MEMORY)))


def here(path: str) -> str:
    """Return the absolute path of `path`, which is relative to where the user stands, also under -C."""
    path = str(Path(GetLaunchDir(), path))
    if "$" in path:
        raise StopError(f"{path}: SCons takes a `$` in it for a variable; give a path without one")
    return path


def _temporary() -> str:
    """Return a new folder, which is deleted when SCons ends."""
    folder = tempfile.mkdtemp(prefix="scons-vdso-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _printing(command: Callable[..., int]) -> Any:
    """Return the action of a target that prints.

    command     called with the module `commands` and the paths of the sources; its answer is the exit status
    """

    def run(target: Any, source: Any, env: Any) -> Any:
        from . import commands

        try:
            return command(commands, *(str(node) for node in source))
        except VdsoError as error:
            raise builders.build_error(target[0], error) from None

    return Action(run, None)
