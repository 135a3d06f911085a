# SPDX-License-Identifier: MIT
"""What the SConscripts of a kernel in the manner of RT-Thread import; there it is `tools/building.py`."""


def PrepareBuilding(env):
    """Once, in SConstruct: the environment that all groups are built in."""
    global Env
    Env = env


def DefineGroup(name, src, **parameters):
    """The objects of a group of sources. `parameters`, as CPPPATH, are added to what this group and later ones get."""
    Env.AppendUnique(**parameters)
    return [Env.Object(file) for file in src]
