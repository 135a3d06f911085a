# SPDX-License-Identifier: MIT
"""Makes what a kernel includes from one record."""
