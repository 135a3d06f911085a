# SPDX-License-Identifier: MIT
"""The outputs, from one record: image, C header, Rust module, assembly, JSON. Nothing of the host or the day is in them."""

from __future__ import annotations

import json
from pathlib import Path

from .blob import Blob
from .templating import render

_BYTES_A_LINE = 16


def emit(blob: Blob, templates: Path, sources: Path) -> dict[str, bytes]:
    """File name to content of the five outputs. `sources`: the folder that has vdso_data.h, which goes into vdso.h as it is."""
    values = {
        "blob": blob,
        "rows": _rows(blob.image),
        "map_offset": min(blob.data_offset, 0),
        "map_size": len(blob.image) + (0 if blob.data_page == "none" else 0x1000),
        "visible": [export for export in blob.exports if export.address is not None],
        "licence": "GPL-2.0: its base is the vDSO of Linux" if blob.linux != "none" else "MIT",
    }
    header = (sources / "vdso_data.h").read_text(encoding="utf-8")
    outputs = {
        "vdso.h": render(templates, "vdso.h.j2", vdso_data_h=header, **values),
        "vdso.rs": render(templates, "vdso.rs.j2", **values),
        "vdso.S": render(templates, "vdso.S.j2", **values),
        "vdso.json": json.dumps(blob.facts(), indent=1, sort_keys=True) + "\n",
    }
    return {"vdso.so": blob.image, **{name: text.encode() for name, text in outputs.items()}}


def _rows(image: bytes) -> list[str]:
    """The bytes as `0x7f, 0x45, ...`, a list item a line."""
    lines = (image[at : at + _BYTES_A_LINE] for at in range(0, len(image), _BYTES_A_LINE))
    return [", ".join(f"0x{byte:02x}" for byte in line) for line in lines]
