# SPDX-License-Identifier: MIT
"""Instructions as GNU as assembles them, and every sort of instruction whose effect the decoder claims."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

COMPUTED = """
mov %rcx, %rax
mov %ecx, %eax
mov %cx, %ax
mov %cl, %al
mov %ch, %al
mov %al, %ch
mov $-1, %rax
mov $-2, %eax
mov $3, %ax
mov $3, %ah
movabs $0x123456789abcdef0, %rax
mov $0xffffffff80000000, %r9
add %rcx, %rax
add $16, %rax
add $-16, %r10
add $16, %eax
add $1, %al
sub %rcx, %rax
sub $16, %rax
sub %rax, %rax
sub %eax, %eax
sub $16, %eax
xor %rax, %rax
xor %eax, %eax
xor %r9d, %r9d
xor %rcx, %rax
xor %al, %al
xor $3, %rax
and $-16, %rax
and $0, %eax
and $0x70, %rax
and %rcx, %rax
or $0x70, %rax
or $-1, %rax
or $3, %eax
or %rcx, %rax
adc %rcx, %rax
sbb %rcx, %rax
sbb %eax, %eax
not %rax
neg %rax
neg %ecx
inc %rax
inc %eax
dec %r9
dec %cl
cmp %rcx, %rax
cmp $3, %edi
test %rcx, %rax
test $8, %al
mul %rcx
mul %ecx
imul %rcx
imul %rcx, %rax
imul $1000, %rcx, %rax
shl $3, %rax
shl %cl, %rax
shr $31, %rdx
sar %cl, %eax
rol $7, %eax
ror %cl, %r9
rcl $1, %rax
rcr $1, %rax
shld $3, %rcx, %rax
shrd %cl, %rdx, %rax
bswap %rax
bswap %ecx
bt $3, %rax
bt %rcx, %rax
bts $3, %rax
btr $63, %r9
btc %rcx, %rax
bsf %rcx, %rax
bsr %ecx, %eax
movzbl %cl, %eax
movzwl %cx, %eax
movsbl %cl, %eax
movswq %cx, %rax
movslq %ecx, %rax
cbtw
cwtl
cltq
cwtd
cltd
cqto
cmovb %rcx, %rax
cmovs %ecx, %eax
cmovle %r9, %r10
sete %al
seta %cl
xchg %rcx, %rdx
xadd %rcx, %rdx
cmpxchg %rcx, %rdx
lea 16(%rcx), %rax
lea -16(%rsp), %rax
lea 16(%rcx,%rdx,8), %rax
lea (,%rdx,4), %rax
lea 3(%rcx), %eax
lea 3(%rcx), %ax
lea 0x100(%rip), %rax
lea -0x100(%rip), %r9
lea 0x1000, %rax
nop
nopw 0(%rax,%rax,1)
nopl 0(%rax)
nopw %cs:0(%rax,%rax,1)
pause
lfence
mfence
sfence
endbr64
cld
clc
lahf
sahf
rdtsc
prefetcht0 (%rdi)
prefetcht1 (%rdi)
prefetcht2 (%rdi)
prefetchnta (%rdi)
prefetchw (%rdi)
movq %rax, %xmm0
movq %xmm0, %rcx
movd %eax, %xmm1
movaps %xmm1, %xmm0
movdqa %xmm2, %xmm0
pxor %xmm0, %xmm0
por %xmm1, %xmm0
paddd %xmm1, %xmm0
paddq %xmm1, %xmm0
psrld $7, %xmm0
pslld $7, %xmm0
pshufd $0x39, %xmm1, %xmm0
punpcklqdq %xmm1, %xmm0
pinsrd $3, %eax, %xmm0
pextrd $3, %xmm1, %eax
pextrq $1, %xmm1, %r9
movapd %xmm1, %xmm0
movupd %xmm1, %xmm0
pand %xmm1, %xmm0
pandn %xmm1, %xmm0
xorps %xmm1, %xmm0
andps %xmm1, %xmm0
orps %xmm1, %xmm0
paddb %xmm1, %xmm0
paddw %xmm1, %xmm0
psubb %xmm1, %xmm0
psubw %xmm1, %xmm0
psubd %xmm1, %xmm0
psubq %xmm1, %xmm0
psllq $7, %xmm0
psrlq $7, %xmm0
psllw $7, %xmm0
psrlw $7, %xmm0
psrad $7, %xmm0
psraw %xmm1, %xmm0
pslldq $7, %xmm0
psrldq $7, %xmm0
pshufb %xmm1, %xmm0
shufps $3, %xmm1, %xmm0
punpckldq %xmm1, %xmm0
punpckhdq %xmm1, %xmm0
punpckhqdq %xmm1, %xmm0
pcmpeqd %xmm1, %xmm0
pmuludq %xmm1, %xmm0
popcnt %rcx, %rax
stc
cmc
pinsrq $1, %rcx, %xmm0
"""
"""Instructions without an access to memory."""

ACCESSES = """
mov (%rdi), %rax
mov 16(%rdi), %eax
mov 3(%rdi), %al
mov 2(%rdi), %cx
mov -8(%rdi,%rsi), %rax
mov 8(%rdi,%rsi,8), %r9
mov (%rdi,%rsi,4), %ecx
movzbl 1(%rdi), %eax
movsbq 1(%rdi), %rax
movzwl 2(%rdi), %ecx
movslq 4(%rdi), %rax
mov 0x20(%rip), %rax
mov -0x40(%rip), %ecx
cmp 0x20(%rip), %rax
cmp %rcx, (%rdi,%rsi,1)
cmpq $0, (%rdi)
add 8(%rdi), %rax
sub 8(%rdi), %rax
and 8(%rdi), %rcx
xor 8(%rdi), %rax
mulq 0x10(%rdi)
imul 8(%rdi), %rax
imul $3, 8(%rdi), %rcx
cmovb 0x18(%rdi), %rdx
testb $1, 3(%rdi)
btq $3, (%rdi)
mov %rax, (%rdi)
mov %eax, 4(%rdi,%rsi,2)
mov %al, 1(%rdi)
movq $0, (%rdi)
movl $7, 8(%rdi)
add %rcx, (%rdi)
addq $8, (%rdi)
subl $1, 8(%rdi)
incq (%rdi)
negq 8(%rdi)
notl (%rdi)
shlq $3, (%rdi)
sete 3(%rdi)
btsq $3, (%rdi)
xchg %rcx, (%rdi)
xadd %rcx, (%rdi)
lock xadd %rcx, (%rdi)
lock addq $1, (%rdi)
lock cmpxchg %rcx, (%rdi)
cmpxchg %ecx, 8(%rdi)
lock cmpxchg16b (%rdi)
stosq
rep stosq
push %rax
push %r9
push $16
pop %rcx
pop %rbp
leave
movups (%rdi), %xmm0
movaps %xmm0, 16(%rdi)
movdqu %xmm1, (%rdi)
movq (%rdi), %xmm0
movq %xmm0, 8(%rdi)
movd %xmm0, 8(%rdi)
movlps (%rdi), %xmm0
movlps %xmm0, (%rdi)
movhps 8(%rdi), %xmm0
movhps %xmm0, 8(%rdi)
pextrd $1, %xmm0, 4(%rdi)
pextrq $1, %xmm0, 8(%rdi)
stosb
stosw
rep stosl
paddd 16(%rdi), %xmm0
pinsrq $1, 8(%rdi), %xmm0
shld $3, %rax, (%rdi)
shrd %cl, %rax, 8(%rdi)
adcq $3, (%rdi)
sbb %rcx, (%rdi)
xorl $1, (%rdi)
andq $1, (%rdi)
orb $1, (%rdi)
decl (%rdi)
sarq (%rdi)
rolq (%rdi)
rorq (%rdi)
rclq (%rdi)
rcrl (%rdi)
shrq (%rdi)
btrq $3, (%rdi)
btcq $3, (%rdi)
bsf (%rdi), %rax
"""


def words(text: str) -> list[str]:
    """Return the lines of a table."""
    return text.split("\n")[1:-1]


def assemble(lines: Sequence[str]) -> bytes:
    """Return the code of `lines`."""
    return b"".join(assemble_each(lines))


def assemble_each(lines: Sequence[str]) -> list[bytes]:
    """Return the code of each of `lines`."""
    text = "".join(f".global l{at}\nl{at}: {line}\n" for at, line in enumerate([*lines, ""]))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made.o")
        subprocess.run(["x86_64-linux-gnu-as", "-mrelax-relocations=no", "-o", made, "-"], input=text.encode(), check=True)
        named = subprocess.run(["x86_64-linux-gnu-nm", made], capture_output=True, text=True, check=True).stdout
        flat = Path(folder, "made.bin")
        subprocess.run(["x86_64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", made, flat], check=True)
        code = flat.read_bytes()
    places = sorted((int(name[1:]), int(place, 16)) for place, _, name in map(str.split, named.splitlines()))
    ends = [place for _, place in places]
    return [code[start:end] for start, end in itertools.pairwise(ends)]
