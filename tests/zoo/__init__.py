# SPDX-License-Identifier: MIT
"""A zoo of vDSOs: built from the Linux sources and by the compilers that Debian's suites offer, and each taken the whole way.

suites      what a suite of Debian offers, and its compilers, unpacked into a folder that programs run in
trees       Linux sources, unpacked as far as a vDSO takes them
build       one vDSO: a tree, a compiler, a configuration
judge       what becomes of a vDSO as a base: accepted or refused, its look-ups, programs on its image, what `check` says
results     what came of each, kept in a file as it comes; the table
visit       the whole zoo as a test, which runs only if it is named
__main__    `python -m zoo` in tests/, with the pythonpath of pyproject.toml

A vDSO that Linux builds as the plain one must be accepted, any other refused, and `check` may say of it only what is true.
"""
