# SPDX-License-Identifier: MIT
"""Shows a base or an image to a person: `info` and the report."""
