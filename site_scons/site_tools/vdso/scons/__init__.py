# SPDX-License-Identifier: MIT
"""The part that knows SCons and touches the disk."""
