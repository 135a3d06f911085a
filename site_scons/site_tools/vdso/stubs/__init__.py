# SPDX-License-Identifier: MIT
"""The stub sources as object files, and the compiler that makes them."""
