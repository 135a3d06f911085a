# SPDX-License-Identifier: MIT
"""The rules, a module for each part of an image that they look at."""
