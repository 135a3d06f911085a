# SPDX-License-Identifier: MIT
"""The version of scons-vdso, which pyproject.toml, all outputs and the note in an image have from here."""

VERSION = "0.1.0"
"""As semantic versioning has it: what kernels use of the outputs changes in an incompatible way with the first number only."""
