# SPDX-License-Identifier: MIT
"""RISC-V, 64 bit: its facts and its decoder."""
