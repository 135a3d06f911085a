# SPDX-License-Identifier: MIT
"""The program `scons-vdso`, which pip installs: SCons on the SConstruct that lies in the package."""

from __future__ import annotations

import sys

import SCons.Script

from ..paths import ROOT


def main() -> None:
    """Run SCons with the words of the command line. It ends the process."""
    # Relative paths still mean the folder where the user stands: SCons remembers it.
    sys.argv[1:1] = ["-Q", "-C", str(ROOT)]
    SCons.Script.main()
