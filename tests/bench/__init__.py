# SPDX-License-Identifier: MIT
"""What `scons bench` measures: instructions a call, exactly, and the time that builds take."""
