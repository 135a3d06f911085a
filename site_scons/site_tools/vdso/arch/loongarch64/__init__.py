# SPDX-License-Identifier: MIT
"""LoongArch, 64 bit: its facts and its decoder."""
