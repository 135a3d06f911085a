# SPDX-License-Identifier: MIT
"""Files are written whole or not at all, and what is there already is left alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from vdso.errors import VdsoError
from vdso.scons.files import read_file, write_files


def test_files_are_made_with_their_folders(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "new/folder/two"
    write_files({one: b"1", two: b"2"})
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")
    assert sorted(tmp_path.rglob("*")) == sorted([one, two, two.parent, two.parent.parent])


def test_a_file_that_comes_out_the_same_is_not_touched(tmp_path: Path) -> None:
    """What Make compiled from it is still right."""
    same, other = tmp_path / "same", tmp_path / "other"
    for path in (same, other):
        path.write_bytes(b"before")
        os.utime(path, (1, 1))
    before = same.stat()
    write_files({same: b"before", other: b"after"})
    after = same.stat()
    assert (after.st_ino, after.st_mtime) == (before.st_ino, before.st_mtime)
    assert other.read_bytes() == b"after"
    assert other.stat().st_mtime > 1


def test_after_a_failure_all_earlier_files_are_there_and_nothing_else(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "a file" / "in a file"
    good.write_bytes(b"before")
    bad.parent.write_bytes(b"no folder")
    with pytest.raises(VdsoError, match=r"can't be written: (File exists|Not a directory)"):
        write_files({good: b"after", bad: b"2"})
    assert good.read_bytes() == b"before"
    assert sorted(tmp_path.iterdir()) == [bad.parent, good]


def test_half_a_file_of_a_full_disk_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's error names no file: then it is the first that was to be written."""
    real = Path.write_bytes

    def half(path: Path, data: bytes) -> int:
        if path.name.startswith(".second"):
            real(path, data[:1])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(VdsoError, match=f"^{tmp_path}/first: can't be written: No space left on device"):
        write_files({tmp_path / "first": b"11", tmp_path / "second": b"22"})
    assert list(tmp_path.iterdir()) == []


def test_an_error_names_the_file_that_the_system_names(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(VdsoError, match=rf"^{tmp_path}/\.folder\..*: can't be written: Is a directory"):
        write_files({tmp_path / "first": b"1", tmp_path / "folder": b"2"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "folder"]


def test_a_file_that_can_not_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VdsoError, match=f"^{tmp_path}/none: can't be read: No such file or directory"):
        read_file(tmp_path / "none")
