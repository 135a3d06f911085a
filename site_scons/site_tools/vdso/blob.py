# SPDX-License-Identifier: MIT
"""The record that the outputs are made from: everything that is known of a finished image, nothing else feeds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Export:
    """What became of one export of the base, or one that the user added. Addresses are offsets in the image, sizes bytes.

    name        with its prefix: `__vdso_clock_gettime`
    policy      replace, syscall, keep, hide or add
    address     of the code in the image, None when hidden
    size        of the code in the image, None when hidden
    base_address, base_size     the slot: where the base had it, None when added
    placement   where the code went: "slot", "freed slot", "dead code", "tail", "new page"; "" when kept or hidden
    """

    name: str
    policy: str
    address: int | None
    size: int | None
    base_address: int | None
    base_size: int | None
    placement: str = ""

    @property
    def short(self) -> str:
        return self.name.removeprefix("__vdso_")


@dataclass(frozen=True)
class Change:
    """Bytes [start, end) of the image that differ from the base (zero behind its end), and which field or slot they are."""

    start: int
    end: int
    what: str


@dataclass(frozen=True)
class Blob:
    """A finished, verified image and its story. `image` is page-multiple; `data_offset` is from the load address.

    data_page       "after", "before" or "none"; data_offset is 0 when "none"
    timebase_hz     the counter's frequency when data_page is "none", else None
    load_addr       what the header suggests
    linux           version of the base as its note says, "7.2.13"; "none" for a base that is not Linux's
    rules           how many rules of `verify` the image was held to
    tools           name to version of all that took part
    inputs          name to SHA-256 of each file of ours and the user's that went in
    """

    arch: str
    image: bytes
    image_sha256: str
    build_id: str
    base_sha256: str
    linux: str
    base_pages: int
    data_page: str
    data_offset: int
    timebase_hz: int | None
    load_addr: int
    exports: tuple[Export, ...]
    changes: tuple[Change, ...]
    rules: int
    tools: Mapping[str, str]
    inputs: Mapping[str, str]

    @property
    def changed(self) -> int:
        """How many bytes differ from the base."""
        return sum(change.end - change.start for change in self.changes)

    def facts(self) -> dict[str, Any]:
        """All but the bytes, as plain data for JSON."""
        facts = asdict(self)
        del facts["image"]
        return facts


def from_facts(facts: Mapping[str, Any], image: bytes) -> Blob:
    """The record whose facts these are."""
    exports = tuple(Export(**export) for export in facts["exports"])
    changes = tuple(Change(**change) for change in facts["changes"])
    return Blob(**{**facts, "image": image, "exports": exports, "changes": changes})
