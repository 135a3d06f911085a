# SPDX-License-Identifier: MIT
"""Fuzzing of all that reads a file from elsewhere: found vDSO, model, placement, splice and proof.

choices     where the decisions of a generator come from: a seed, hypothesis, or a fuzzer's bytes
fields      the fields of a vDSO, by a parser of its own
fuzzed      what the cases of an architecture are made of; tests/arch/*/fuzzed.py fill it in
mutate      changes that keep an ELF file plausible
bases       vDSOs to begin with, made and real
wrap        files that hold one: archives, compressed streams, cores, dumps
cases       one input of a run, made from choices
way         the property: one error of ours, or an image that proof and look-up accept
looker      the look-up of ../lookup.c
runner      starts the workers, and counts where their cases ended
covered     which branches they take
worker      runs cases in a child process with limits of time and memory
harness     the same for atheris, which is led by coverage
found       what was found and mended, each as a generator
__main__    `python -m fuzz` in tests/, with the pythonpath of pyproject.toml: the recorded run and its table
"""
