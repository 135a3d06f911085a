# SPDX-License-Identifier: MIT
"""The records that the outputs are made from: an image, and the blob, which a kernel embeds. No output has another source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..arch import ARCHES
from ..arch.arch import Counter
from ..data_page import DataPage, mapped_beside
from ..elf.elf64 import pages
from ..image.maker import Maker, from_version
from ..ranges import Span
from ..splice.changes import Change, Export
from ..version import VERSION

SCHEMA = 1
"""Which edition of vdso.schema.json describes vdso.json. It goes up where a reader of the edition before could go wrong."""


@dataclass(frozen=True)
class Image:
    """A finished, verified image, and how it came from its base.

    arch            name of the architecture
    data            the bytes of the image, whole pages
    maker           who made the base
    base_pages      how many pages the base's load takes
    page_size       of the kernel: `data` is whole pages of this size
    data_offset     of the data page, from the image's first byte; 0 where there is none
    counter_offset  of the counter where it is a word of a page; 0 where an instruction reads it
    rules           how many rules of `verify` the image was held to
    """

    arch: str
    data: bytes
    build_id: str
    base_sha256: str
    maker: Maker
    base_pages: int
    page_size: int
    data_page: DataPage
    data_offset: int
    counter_offset: int
    exports: tuple[Export, ...]
    changes: tuple[Change, ...]
    rules: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def pages(self) -> int:
        return pages(len(self.data), self.page_size)

    @property
    def counter(self) -> Counter:
        """Return what people must know of the counter that its code reads."""
        arch = ARCHES[self.arch]
        return arch.counter_page if self.counter_offset and arch.counter_page else arch.counter

    @property
    def counter_page(self) -> int | None:
        """Return where the page lies whose word is the counter, from the image's first byte; None where there is none."""
        return self.counter_offset // self.page_size * self.page_size if self.counter_offset else None

    @property
    def counter_word(self) -> int:
        """Return the offset of the counter in its page."""
        return self.counter_offset % self.page_size

    @property
    def map(self) -> Span:
        """Return the image and the pages beside it, which follow each other, from the image's first byte."""
        parts = [Span(0, len(self.data)), *mapped_beside(self.data_offset, self.counter_offset, self.page_size)]
        return Span.between(min(part.start for part in parts), max(part.end for part in parts))

    @property
    def visible(self) -> list[Export]:
        """Return the exports that programs find in the image."""
        return [export for export in self.exports if export.address is not None]

    @property
    def asserted_and_gone(self) -> list[str]:
        """Return what the user hides although rustix ends programs for lack of it, without prefix."""
        arch = ARCHES[self.arch]
        return sorted(arch.asserted - {export.short for export in self.visible})

    @property
    def changed(self) -> int:
        """Return how many bytes differ from the base."""
        return sum(change.end - change.start for change in self.changes)

    def to_json(self) -> str:
        """Return all fields but the bytes, as text that `image_from_json` reads."""
        facts = asdict(self)
        del facts["data"]
        return json.dumps(facts, indent=1, sort_keys=True)


def image_from_json(text: str, data: bytes) -> Image:
    """Return the image with these bytes whose `to_json` is `text`."""
    facts = json.loads(text)
    facts["maker"] = Maker(**facts["maker"])
    facts["exports"] = tuple(Export(**export) for export in facts["exports"])
    facts["changes"] = tuple(Change(**change) for change in facts["changes"])
    return Image(**{**facts, "data": data, "data_page": DataPage(facts["data_page"])})


@dataclass(frozen=True)
class Blob:
    """What a kernel embeds: an image, where it goes, and what it was made from.

    load_addr       the address that the header suggests
    timebase_hz     the counter's frequency when there is no data page, else None
    tools           name to version of each tool of the build
    inputs          name to SHA-256 of each input file, ours and the user's
    version         of scons-vdso
    """

    image: Image
    load_addr: int
    timebase_hz: int | None
    tools: Mapping[str, str]
    inputs: Mapping[str, str]
    version: str = VERSION

    @property
    def compiler(self) -> str:
        """Return the first lines of what the compiler and the linker say of themselves, in one."""
        told = (text for name, text in sorted(self.tools.items()) if name in ("gcc", "clang", "ld", "lld"))
        return ", ".join(text.partition(", sha256 ")[0] for text in told)

    @property
    def beyond(self) -> list[str]:
        """Return the sorts of page tables under which, at the suggested address, the map of the image leaves user space."""
        end = self.load_addr + self.image.map.end
        return [name for name, limit in ARCHES[self.image.arch].user_space.items() if end > limit]

    @property
    def oversized(self) -> list[Export]:
        """Return the exports whose code is larger than that of the compiler that the architecture was measured with."""
        budget = ARCHES[self.image.arch].budget
        return [export for export in self.image.visible if export.size and export.size > budget.get(export.short, export.size)]

    def facts(self) -> dict[str, Any]:
        """Return vdso.json, as plain data."""
        image = self.image
        return {
            "arch": image.arch,
            "base_pages": image.base_pages,
            "base_sha256": image.base_sha256,
            "build_id": image.build_id,
            "changes": [asdict(change) for change in image.changes],
            "counter_offset": image.counter_offset,
            "data_offset": image.data_offset,
            "data_page": image.data_page.value,
            "exports": [_export_facts(export) for export in image.exports],
            "image_sha256": image.sha256,
            "inputs": dict(self.inputs),
            "linux": image.maker.version,
            "load_addr": self.load_addr,
            "page_size": image.page_size,
            "rules": image.rules,
            "timebase_hz": self.timebase_hz,
            "schema": SCHEMA,
            "tools": dict(self.tools),
            "version": self.version,
        }


def _export_facts(export: Export) -> dict[str, Any]:
    facts = asdict(export)
    del facts["short"]
    return facts


def blob_from_facts(facts: Mapping[str, Any], data: bytes) -> Blob:
    """Return the blob whose `facts` these are and whose image has these bytes."""
    arch = ARCHES[facts["arch"]]
    image = Image(
        arch=arch.name,
        data=data,
        build_id=facts["build_id"],
        base_sha256=facts["base_sha256"],
        maker=from_version(facts["linux"]),
        base_pages=facts["base_pages"],
        page_size=facts["page_size"],
        data_page=DataPage(facts["data_page"]),
        data_offset=facts["data_offset"],
        counter_offset=facts["counter_offset"],
        exports=tuple(Export(short=arch.short(export["name"]), **export) for export in facts["exports"]),
        changes=tuple(Change(**change) for change in facts["changes"]),
        rules=facts["rules"],
    )
    return Blob(image, facts["load_addr"], facts["timebase_hz"], facts["tools"], facts["inputs"], facts["version"])
