# SPDX-License-Identifier: MIT
"""Makes the bill of materials of a release, as CycloneDX 1.6: its files, their sources, and the tools.

A library writes it. Ours is that nothing differs from build to build: there is no time, and the serial number (CycloneDX needs
a UUID) is a hash of the content (RFC 9562, version 5).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType, Pedigree
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from ..arch import ARCHES
from ..emit.provenance import MODULES, USERS
from ..layout import ASSEMBLY, BASE, HEADER, JSON, RUST, SELFTEST, SO
from .archive import LINUX_LICENCE, Release

BINUTILS = "GPL-3.0-or-later"
LLVM = "Apache-2.0 WITH LLVM-exception"
GCC = "GPL-3.0-or-later WITH GCC-exception-3.1"
# The tools in vdso.json: those with a SHA-256 are the machine's, the others come from PyPI.
TOOL_LICENCES = {
    "scons": "MIT",
    "lief": "Apache-2.0",
    "pyelftools": "Unlicense",
    "capstone": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "clang": LLVM,
    "lld": LLVM,
    "gcc": GCC,
    "cc1": GCC,
    "as": BINUTILS,
    "ld": BINUTILS,
}


def sbom(release: Release) -> str:
    """Return the text of the SBOM, the same for the same release."""
    bom = Bom(serial_number=uuid.UUID(int=0))
    bom.metadata.timestamp = None  # type: ignore[assignment]  # optional in CycloneDX, not in the library's types
    version = release.blob.image.maker.linux
    root = _component(release.name, ComponentType.LIBRARY, release.licence, version=version)
    files = {
        name: _file(name, hashlib.sha256(data).hexdigest(), _licence(release, name)) for name, data in release.files.items()
    }
    files[BASE].pedigree = _pedigree(release)
    sources = {name: _source(name, digest) for name, digest in release.blob.inputs.items() if name != MODULES}
    program = {name: sources.get(name) or _source(name, digest) for name, digest in release.selftest.items() if name != MODULES}

    bom.metadata.component = root
    root.components.update(files.values())
    bom.components.update([*sources.values(), *program.values()])
    bom.metadata.tools.components.update(_tools(release))
    bom.register_dependency(root, files.values())
    image = files[SO]
    bom.register_dependency(image, [files[BASE], *sources.values()])
    bom.register_dependency(files[SELFTEST], program.values())
    for name in (HEADER, RUST, ASSEMBLY, JSON):
        bom.register_dependency(files[name], [image])

    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, JsonV1Dot6(bom).output_as_string())
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _component(
    name: str, kind: ComponentType, licence: str = "", digest: str = "", version: str = "", purl: PackageURL | None = None
) -> Component:
    return Component(
        name=name,
        type=kind,
        bom_ref=f"{kind.value}:{name}",
        version=version or None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else None,
        licenses=[LicenseFactory().make_from_string(licence)] if licence else None,
        purl=purl,
    )


def _file(name: str, digest: str, licence: str) -> Component:
    return _component(name, ComponentType.FILE, licence, digest)


def _source(name: str, digest: str) -> Component:
    """Return the component of an input file. The licence of the user's files is not known."""
    return _file(name, digest, "" if name.startswith(USERS) else "MIT")


def _licence(release: Release, name: str) -> str:
    """Return the licence of a file of the archive; the text of a licence has none."""
    if name == SELFTEST:
        return "MIT"
    if name.startswith("LICENSES/"):
        return ""
    return release.base_licence if name == BASE else release.licence


def _pedigree(release: Release) -> Pedigree | None:
    """Return where a base of Linux came from: the package where it is known, else the kernel that the base names."""
    if release.own:
        return None
    origin = release.origin
    if origin is None:
        kernel = _component("linux", ComponentType.OPERATING_SYSTEM, LINUX_LICENCE, version=release.blob.image.maker.linux)
    else:
        purl = PackageURL("deb", "debian", origin.package, origin.version, {"arch": ARCHES[release.blob.image.arch].debian})
        kernel = _component(origin.package, ComponentType.OPERATING_SYSTEM, LINUX_LICENCE, version=origin.version, purl=purl)
        url = XsUri(origin.source_url)
        kernel.external_references.add(ExternalReference(type=ExternalReferenceType.SOURCE_DISTRIBUTION, url=url))
    return Pedigree(ancestors=[kernel])


def _tools(release: Release) -> Iterable[Component]:
    """Yield scons-vdso and each tool in vdso.json: there it is `version`, `version, sha256 DIGEST` or `sha256 DIGEST`."""
    yield _component("scons-vdso", ComponentType.APPLICATION, "MIT", digest=release.blob.inputs[MODULES])
    for name, text in release.blob.tools.items():
        version, machines, digest = text.rpartition("sha256 ")
        purl = None if machines else PackageURL("pypi", None, name, digest)
        version, digest = (version.rstrip(", "), digest) if machines else (digest, "")
        yield _component(name, ComponentType.APPLICATION, TOOL_LICENCES[name], digest, version, purl)
