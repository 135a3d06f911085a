# SPDX-License-Identifier: MIT
"""Decides what becomes of each export."""
