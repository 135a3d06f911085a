# SPDX-License-Identifier: MIT
"""Finds the one plain vDSO in a file, whatever holds it."""
