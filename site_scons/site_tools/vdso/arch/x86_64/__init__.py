# SPDX-License-Identifier: MIT
"""x86-64: its facts and its decoder."""
