# SPDX-License-Identifier: MIT
"""All that knows SCons or touches the disk."""
