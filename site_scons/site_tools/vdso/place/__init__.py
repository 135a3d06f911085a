# SPDX-License-Identifier: MIT
"""Gives each stub and each table an address."""
