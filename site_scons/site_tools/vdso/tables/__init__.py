# SPDX-License-Identifier: MIT
"""Makes the tables of an image anew."""
