# SPDX-License-Identifier: MIT
"""Puts the stubs into the base, each change declared."""
