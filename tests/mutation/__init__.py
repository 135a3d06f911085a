# SPDX-License-Identifier: MIT
"""Do the tests bite? Small faults are put into the library, the C of vdso_src and the Rust template, one at a time.

mutant      one fault: a place in a file, and what stands there instead
python_faults   faults of Python, from its syntax tree
c_faults    faults of C and Rust, from their text
sample      which faults are tried: a seed chooses places, then one of the faults of each
judges      which tests judge a file, by the folder that it lies in, the fastest first
trial       one copy of the checkout, in which tests run on one fault at a time
same_code   faults that change no byte of what compilers make
results     what came of each, kept in a file as it comes; the table
__main__    `python -m mutation` in tests/, with the pythonpath of pyproject.toml

No library does this: mutmut finds the tests of a function by running all of them in its own process, where neither the
builds that tests start nor C is seen; cosmic-ray takes one command of tests for all files, knows Python alone, and
brings 28 packages.
"""
