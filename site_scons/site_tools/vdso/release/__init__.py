# SPDX-License-Identifier: MIT
"""Makes the archive that others copy, and its bill of materials."""
