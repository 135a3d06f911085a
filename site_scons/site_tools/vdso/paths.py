# SPDX-License-Identifier: MIT
"""The folders of our own files, in a checkout or in a package that pip installed."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# In a package that pip installed, vdso_src and templates lie beside the tool; in a checkout they lie above it.
ROOT = next((folder for folder in (PACKAGE.parent, PACKAGE.parents[2]) if (folder / "vdso_src").is_dir()), PACKAGE.parent)
SOURCES = ROOT / "vdso_src"
FREESTANDING = SOURCES / "freestanding"
"""Headers of ours for compilers that come without them."""
TEMPLATES = ROOT / "templates"
LOCK = ROOT / "requirements.txt"
