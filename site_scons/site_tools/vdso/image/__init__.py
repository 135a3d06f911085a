# SPDX-License-Identifier: MIT
"""The model of a vDSO, base or image, its reader, and the analysis of its code."""
