# SPDX-License-Identifier: MIT
"""Instructions as LLVM assembles them, and every sort of instruction whose effect the decoder claims."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

FEATURES = "+v8.5a,+lse,+sb,+rcpc"

COMPUTED = """
add x0, x1, x2
add x0, x1, #16
add x0, x1, #3, lsl #12
add w0, w1, #16
add x0, x1, x2, lsl #3
add x0, x1, w2, sxtw #2
sub x0, x1, #16
sub x0, x1, x2
sub w0, w1, #1
adds x0, x1, #1
subs x0, x1, x2
adc x0, x1, x2
sbcs w0, w1, w2
neg x0, x1
ngc x0, x1
and x0, x1, #0xff00
ands w0, w1, #1
bic x0, x1, x2
orn x0, x1, x2
orr x0, x1, #0xf0
orr x0, xzr, #0xff
orr x0, x1, x2
eor x0, x1, x1
eon x0, x1, x2
mvn x0, x1
mov x0, x1
mov w0, w1
mov x0, xzr
mov x0, #-1
mov w0, #-2
mov x0, #0x12340000
movz x0, #0x12, lsl #32
movn x0, #1, lsl #16
movn w0, #7
movk x0, #0x1234, lsl #16
movk w0, #0x1234, lsl #16
movk x0, #0xffff
lsl x0, x1, x2
lsl x0, x1, #3
lsr w0, w1, #3
asr x0, x1, x2
ror x0, x1, #7
extr x0, x1, x2, #5
ubfx x0, x1, #3, #9
sbfx x0, x1, #3, #9
ubfiz x0, x1, #3, #9
sbfiz x0, x1, #6, #32
bfi x0, x1, #3, #9
bfxil x0, x1, #3, #9
sxtb x0, w1
sxth w0, w1
sxtw x0, w1
uxtb w0, w1
uxth w0, w1
rev x0, x1
rev16 x0, x1
rev32 x0, x1
rbit x0, x1
clz x0, x1
cls x0, x1
csel x0, x1, x2, hi
csinc x0, x1, x2, eq
csinv w0, w1, w2, lt
csneg x0, x1, x2, ge
cset x0, eq
csetm x0, ne
cinc x0, x1, ne
cinv x0, x1, ne
cneg x0, x1, ne
mul x0, x1, x2
mneg x0, x1, x2
madd x0, x1, x2, x3
msub x0, x1, x2, x3
smull x0, w1, w2
umull x0, w1, w2
smnegl x0, w1, w2
umnegl x0, w1, w2
smaddl x0, w1, w2, x3
umaddl x0, w1, w2, x3
smsubl x0, w1, w2, x3
umsubl x0, w1, w2, x3
smulh x0, x1, x2
umulh x0, x1, x2
udiv x0, x1, x2
sdiv w0, w1, w2
crc32x w0, w1, x2
crc32cb w0, w1, w2
cmp x1, x2
cmp w1, #3
cmn x1, #3
tst x1, #7
ccmp x1, #3, #0, eq
ccmn x1, x2, #4, ne
nop
yield
isb
dmb ish
dmb ishld
dsb ishld
bti c
clrex
fmov x0, d1
fmov d0, x1
umov w0, v1.s[0]
mov v0.d[1], x1
movi v0.4s, #3
add v0.4s, v1.4s, v2.4s
fadd d0, d1, d2
adr x0, .+64
adr x0, .-64
adrp x0, #4096
mrs x0, nzcv
msr nzcv, x0
mrs x0, fpcr
mrs x0, tpidr_el0
msr tpidr_el0, x0
mrs x0, cntvct_el0
mrs x0, ctr_el0
mrs x0, dczid_el0
"""
"""Instructions without an access to memory."""

ACCESSES = """
ldr x0, [x4]
ldr w0, [x4, #16]
ldrb w0, [x4, #3]
ldrh w0, [x4, #2]
ldrsb x0, [x4, #1]
ldrsh w0, [x4, #2]
ldrsw x0, [x4, #4]
ldur x0, [x4, #-8]
ldr x0, [x4, x5]
ldr x0, [x4, x5, lsl #3]
ldr x0, [x4, w5, uxtw #3]
ldr x0, [x4, w5, sxtw]
ldr x0, [x4, w5, sxtw #3]
ldrb w0, [x4, x5, sxtx]
ldr x0, [x4, #8]!
ldr x0, [x4], #-8
ldp x0, x1, [x4, #16]
ldp w0, w1, [x4]
ldpsw x0, x1, [x4, #8]
ldp x0, x1, [x4, #-16]!
ldp x0, x1, [x4], #16
ldr d0, [x4, #8]
ldp q0, q1, [x4]
ld1 {v0.4s, v1.4s}, [x4]
ld1 {v0.4s}, [x4], #16
ldar x0, [x4]
ldxr x0, [x4]
ldaxrb w0, [x4]
ldapr x0, [x4]
ldr x0, .+32
ldrsw x0, .-32
ldr d0, .+32
str x0, [x4, #8]
str w0, [x4, x5, lsl #2]
strb w0, [x4, #1]
strh w0, [x4, #2]
stur x0, [x4, #-8]
str x0, [x4, #8]!
str x0, [x4], #8
stp x0, x1, [x4, #16]
stp x0, x1, [x4, #-16]!
str q0, [x4]
st1 {v0.4s, v1.4s}, [x4]
stlr x0, [x4]
ldadd x0, x1, [x4]
ldclral x0, x1, [x4]
ldeorl w0, w1, [x4]
ldsetab w0, w1, [x4]
swpal x0, x1, [x4]
stadd x0, [x4]
cas x0, x1, [x4]
casal w0, w1, [x4]
casp x0, x1, x2, x3, [x4]
prfm pldl1keep, [x4]
"""


def words(text: str) -> list[str]:
    """Return the lines of a table."""
    return text.split("\n")[1:-1]


def assemble(lines: Sequence[str]) -> bytes:
    """Return the code of `lines`."""
    command = ["llvm-mc-19", "--triple=aarch64", f"--mattr={FEATURES}", "--filetype=obj", "-o", "-"]
    made = subprocess.run(command, input="\n".join(lines).encode() + b"\n", check=True, capture_output=True).stdout
    take = ["llvm-objcopy-19", "-O", "binary", "-j", ".text", "-", "-"]
    return subprocess.run(take, input=made, check=True, capture_output=True).stdout
