# SPDX-License-Identifier: MIT
"""LIEF in a process of its own: `python lief_child.py PATH...`, where PATH... is all of sys.path. `lief_write` starts it.

It reads a request a line from standard input and writes an answer a line, both JSON, until the input ends:

    {"elf": hex, "patches": [[address, hex]...], "segments": count, "sections": [offset, count, index of names]}
        ->  {"elf": hex} or {"error": text}

The ELF has one program header, PT_LOAD; "segments" is how many there are.

This is a program, not a module of the package: to import the package costs as much as to import SCons.
"""

import contextlib
import enum
import gc
import json
import resource
import signal
import sys
from typing import Any

MEMORY = 2 << 30  # bytes of address space, LIEF itself included; an image takes only some pages


def written(request: dict[str, Any]) -> bytes:
    """Return the ELF with the request's changes, by a builder that rebuilds nothing. ValueError where LIEF can't read it."""
    import lief

    lief.logging.disable()
    binary = lief.ELF.parse(bytes.fromhex(request["elf"]))
    if binary is None:
        raise ValueError("LIEF can't read it")
    for address, data in request["patches"]:
        binary.patch_address(address, list(bytes.fromhex(data)))
    header = binary.header
    header.numberof_segments = request["segments"]
    header.section_header_offset, header.numberof_sections, header.section_name_table_idx = request["sections"]
    config = lief.ELF.Builder.config_t()
    for name in dir(config):
        if isinstance(getattr(config, name), bool):
            setattr(config, name, False)
    return bytes(binary.write_to_bytes(config))


def import_lief() -> None:
    """Import LIEF a tenth faster than by itself.

    It makes 67,000 members of enumerations. For each, Python's own hook looks whether a member is assigned anew, which none
    is; and the collector of garbage looks at all of them again and again, though none ever is.
    """
    gc.disable()
    hook = enum.EnumMeta.__setattr__
    enum.EnumMeta.__setattr__ = type.__setattr__  # type: ignore[method-assign]
    try:
        import lief  # noqa: F401
    finally:
        enum.EnumMeta.__setattr__ = hook  # type: ignore[method-assign]


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the signal ends the build, which closes the input and so ends this process
    sys.path[:] = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ImportError):  # the first answer will say it
        import_lief()  # before the first request, since the import takes as long as all the rest of a build
    for line in sys.stdin:
        try:
            answer = {"elf": written(json.loads(line)).hex()}
        except Exception as error:  # LIEF may raise anything: the process that asked reports it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
