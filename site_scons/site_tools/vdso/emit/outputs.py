# SPDX-License-Identifier: MIT
"""Makes the outputs from one record: image, C header, Rust module, assembly, JSON. No output depends on host or date."""

from __future__ import annotations

import json
import re

from ..data_page import DataPage
from ..paths import SOURCES
from ..templating import render
from .blob import Blob

_BYTES_A_LINE = 16
_INCLUDE = re.compile(r'^#include "(.+)"\n', re.MULTILINE)


def outputs(blob: Blob) -> dict[str, bytes]:
    """Return file name to content of the five outputs. The kernel's side in vdso_src goes into vdso.h as it is."""
    image = blob.image
    values = {
        "blob": blob,
        "image": image,
        "rows": _rows(image.data),
        "base": f"vDSO of {image.maker}" if not image.maker.own else str(image.maker),
        "licence": "MIT" if image.maker.own else f"GPL-2.0: its base is the vDSO of {image.maker}",
    }
    kernel_side = "counter_time.h" if image.data_page is DataPage.NONE else "vdso_data.h"
    texts = {
        "vdso.h": render("vdso.h.j2", kernel_side=_joined(kernel_side, image.arch, set()), **values),
        "vdso.rs": render("vdso.rs.j2", **values),
        "vdso.S": render("vdso.S.j2", **values),
        "vdso.json": json.dumps(blob.facts(), indent=1, sort_keys=True) + "\n",
    }
    return {"vdso.so": image.data, **{name: text.encode() for name, text in texts.items()}}


def _joined(name: str, arch: str, seen: set[str]) -> str:
    """Return a header of vdso_src with the text of each header of ours in the place of its `#include`, once.

    seen    the headers that stand in the text already
    """
    if name in seen:
        return ""
    seen.add(name)
    path = next(path for folder in (SOURCES, SOURCES / arch) if (path := folder / name).is_file())
    return _INCLUDE.sub(lambda match: _joined(match[1], arch, seen), path.read_text(encoding="utf-8"))


def _rows(image: bytes) -> list[str]:
    """Return the bytes as `0x7f, 0x45, ...`, one list item for each line."""
    lines = (image[at : at + _BYTES_A_LINE] for at in range(0, len(image), _BYTES_A_LINE))
    return [", ".join(f"0x{byte:02x}" for byte in line) for line in lines]
