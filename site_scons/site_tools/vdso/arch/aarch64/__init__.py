# SPDX-License-Identifier: MIT
"""AArch64: its facts and its decoder."""
