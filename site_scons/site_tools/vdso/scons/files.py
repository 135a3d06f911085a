# SPDX-License-Identifier: MIT
"""Reads and writes files: whole ones or none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import VdsoError

ASIDE = ".aside"
"""The end of the name of a file that is not whole yet."""


def read_file(path: Path) -> bytes:
    """Return the bytes of a file. VdsoError where it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise VdsoError(str(path), f"can't be read: {error.strerror}") from error


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write all files aside first, then move each to its name: a full disk or a signal leaves the earlier ones.

    A file that is there with these bytes is not touched: what Make, CMake or cargo compiled from it is still right.
    VdsoError where one can't be written.
    """
    aside = {path: path.with_name(f".{path.name}.{os.getpid()}{ASIDE}") for path in files}
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() and path.read_bytes() == data:
                del aside[path]
            else:
                aside[path].write_bytes(data)
        for path, written in aside.items():
            written.replace(path)
    except OSError as error:
        raise VdsoError(str(error.filename or next(iter(files))), f"can't be written: {error.strerror}") from error
    finally:
        for path in aside.values():
            with contextlib.suppress(OSError):  # a file that was moved is not there, nor is one whose folder is none
                path.unlink()
