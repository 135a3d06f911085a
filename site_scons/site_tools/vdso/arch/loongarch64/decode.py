# SPDX-License-Identifier: MIT
"""LoongArch machine code: the basic integer instructions, put into the few effects that `analysis` follows.

Encodings, operands and effects are those of the LoongArch Reference Manual, Volume 1, chapter 2 ("Basic Integer
Instructions") and appendix B; the words of the text are those of LLVM. What else a word may be (floating point, vectors,
what only a kernel may execute, later editions of the manual) is not known: no compiler puts it into a vDSO.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ..effects import Add, Bits, Branch, Clobber, Const, Effect, Jump, KernelState, Memory, Return, SystemCall, Trap

SIZE = 4
_MASK = (1 << 64) - 1
NAMES = (
    *("zero", "ra", "tp", "sp"),
    *(f"a{i}" for i in range(8)),
    *(f"t{i}" for i in range(9)),
    *("r21", "fp"),
    *(f"s{i}" for i in range(9)),
)


@dataclass(frozen=True)
class Word:
    """An instruction and its address. The fields are called as in the manual."""

    bits: int
    at: int

    def field(self, low: int, length: int) -> int:
        return self.bits >> low & (1 << length) - 1

    def signed(self, low: int, length: int) -> int:
        return _signed(self.field(low, length), length)

    @property
    def rd(self) -> str:
        return NAMES[self.field(0, 5)]

    @property
    def rj(self) -> str:
        return NAMES[self.field(5, 5)]

    @property
    def rk(self) -> str:
        return NAMES[self.field(10, 5)]

    @property
    def si12(self) -> int:
        return self.signed(10, 12)

    @property
    def ui12(self) -> int:
        return self.field(10, 12)

    @property
    def si14(self) -> int:
        """Return it in bytes: the field counts words."""
        return self.signed(10, 14) << 2

    @property
    def si20(self) -> int:
        return self.signed(5, 20)

    @property
    def offs16(self) -> int:
        """Return it in bytes, as the two below do: their fields count instructions."""
        return self.signed(10, 16) << 2

    @property
    def offs21(self) -> int:
        return _signed(self.field(0, 5) << 16 | self.field(10, 16), 21) << 2

    @property
    def offs26(self) -> int:
        return _signed(self.field(0, 10) << 16 | self.field(10, 16), 26) << 2


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value & 1 << bits - 1 else value


@dataclass(frozen=True)
class Format:
    """What the instructions of one format have in common.

    mask        the bits that tell them from every other
    operands    as text
    defined     tells whether the manual defines what the operands of a word do
    """

    mask: int
    operands: Callable[[Word], tuple[object, ...]]
    defined: Callable[[Word], bool] = lambda _: True


def _register(name: str) -> str:
    return "$" + name


_3R = Format(0xFFFF8000, lambda w: (_register(w.rd), _register(w.rj), _register(w.rk)))
_3R_ATOMIC = Format(0xFFFF8000, lambda w: (_register(w.rd), _register(w.rk), _register(w.rj)))
_3R_SA2 = Format(0xFFFE0000, lambda w: (*_3R.operands(w), w.field(15, 2)))
_3R_SA2_PLUS_1 = Format(0xFFFE0000, lambda w: (*_3R.operands(w), w.field(15, 2) + 1))
_3R_SA3 = Format(0xFFFC0000, lambda w: (*_3R.operands(w), w.field(15, 3)))
_2R = Format(0xFFFFFC00, lambda w: (_register(w.rd), _register(w.rj)))
_2R_ASSERT = Format(0xFFFF801F, lambda w: (_register(w.rj), _register(w.rk)))
_2R_UI5 = Format(0xFFFF8000, lambda w: (*_2R.operands(w), w.field(10, 5)))
_2R_UI6 = Format(0xFFFF0000, lambda w: (*_2R.operands(w), w.field(10, 6)))
_2R_MSBW_LSBW = Format(
    0xFFE08000, lambda w: (*_2R.operands(w), w.field(16, 5), w.field(10, 5)), lambda w: w.field(16, 5) >= w.field(10, 5)
)
_2R_MSBD_LSBD = Format(
    0xFFC00000, lambda w: (*_2R.operands(w), w.field(16, 6), w.field(10, 6)), lambda w: w.field(16, 6) >= w.field(10, 6)
)
_2R_SI12 = Format(0xFFC00000, lambda w: (*_2R.operands(w), w.si12))
_2R_UI12 = Format(0xFFC00000, lambda w: (*_2R.operands(w), w.ui12))
_2R_SI14 = Format(0xFF000000, lambda w: (*_2R.operands(w), w.si14))
_2R_SI16 = Format(0xFC000000, lambda w: (*_2R.operands(w), w.signed(10, 16)))
_2R_OFFS16 = Format(0xFC000000, lambda w: (*_2R.operands(w), w.offs16))
_2R_OFFS16_COMPARED = Format(0xFC000000, lambda w: (_register(w.rj), _register(w.rd), w.offs16))
_1R_SI20 = Format(0xFE000000, lambda w: (_register(w.rd), w.si20))
_1R_OFFS21 = Format(0xFC000000, lambda w: (_register(w.rj), w.offs21))
_OFFS26 = Format(0xFC000000, lambda w: (w.offs26,))
_CODE15 = Format(0xFFFF8000, lambda w: (w.field(0, 15),))
_HINT_1R_SI12 = Format(0xFFC00000, lambda w: (w.field(0, 5), _register(w.rj), w.si12))


@dataclass(frozen=True)
class Instruction:
    name: str
    opcode: int
    format: Format
    effect: Callable[[Word], Effect]


def _of_two(w: Word) -> Effect:
    return Clobber((w.rd,), (w.rj, w.rk))


def _of_one(w: Word) -> Effect:
    return Clobber((w.rd,), (w.rj,))


def _into(w: Word) -> Effect:
    """Return what an instruction does that keeps the bits of rd around its field."""
    return Clobber((w.rd,), (w.rd, w.rj))


def _asserted(w: Word) -> Effect:
    return Clobber((), (w.rj, w.rk))


def _nothing(_: Word) -> Effect:
    return Clobber((), ())


def _prefetched(w: Word) -> Effect:
    return Clobber((), (w.rj,))


def _or(w: Word) -> Effect:
    return Add(w.rd, w.rj, 0, copy=True) if w.rk == "zero" else _of_two(w)


def _add_immediate(w: Word) -> Effect:
    return _constant(w, w.si12) or Add(w.rd, w.rj, w.si12)


def _add_word_immediate(w: Word) -> Effect:
    return _constant(w, w.si12) or _of_one(w)


def _or_immediate(w: Word) -> Effect:
    return _constant(w, w.ui12) or Bits(w.rd, w.rj, keep=_MASK, bits=w.ui12)


def _constant(w: Word, value: int) -> Effect | None:
    return Const(w.rd, value & _MASK) if w.rj == "zero" else None


def _add_upper(w: Word) -> Effect:
    return Add(w.rd, w.rj, w.signed(10, 16) << 16)


def _upper_word(w: Word) -> Effect:
    return Const(w.rd, w.si20 << 12 & _MASK)


def _bits_32_to_63(w: Word) -> Effect:
    return Bits(w.rd, w.rd, keep=(1 << 32) - 1, bits=w.si20 << 32 & _MASK)


def _bits_52_to_63(w: Word) -> Effect:
    return Bits(w.rd, w.rj, keep=(1 << 52) - 1, bits=w.si12 << 52 & _MASK)


def _pc(w: Word) -> Effect:
    return Const(w.rd, w.at + (w.si20 << 2), relative=True)


def _pc_upper(shift: int) -> Callable[[Word], Effect]:
    return lambda w: Const(w.rd, w.at + (w.si20 << shift), relative=True, partial=True)


def _page_of_pc(w: Word) -> Effect:
    return Const(w.rd, (w.at & ~0xFFF) + (w.si20 << 12), relative=True, partial=True)


def _load(w: Word) -> Effect:
    return Memory(w.rj, w.si12, results=(w.rd,))


def _store(w: Word) -> Effect:
    return Memory(w.rj, w.si12, uses=(w.rd,), stores=True)


def _load_words(w: Word) -> Effect:
    return Memory(w.rj, w.si14, results=(w.rd,))


def _store_words(w: Word) -> Effect:
    return Memory(w.rj, w.si14, uses=(w.rd,), stores=True)


def _store_if_linked(w: Word) -> Effect:
    return Memory(w.rj, w.si14, results=(w.rd,), uses=(w.rd,), stores=True)


def _load_indexed(w: Word) -> Effect:
    return Memory(w.rj, results=(w.rd,), index=w.rk)


def _store_indexed(w: Word) -> Effect:
    return Memory(w.rj, uses=(w.rd,), stores=True, index=w.rk)


def _atomic(w: Word) -> Effect:
    return Memory(w.rj, results=(w.rd,), uses=(w.rk,), stores=True)


def _compare(w: Word) -> Effect:
    return Branch(w.at + w.offs16, (w.rj, w.rd))


def _compare_with_zero(w: Word) -> Effect:
    return Branch(w.at + w.offs21, (w.rj,))


def _branch(w: Word) -> Effect:
    return Jump(w.at + w.offs26)


def _call(w: Word) -> Effect:
    return Jump(w.at + w.offs26, link="ra")


def _indirect(w: Word) -> Effect:
    if (w.rd, w.rj, w.offs16) == ("zero", "ra", 0):
        return Return()
    return Jump(None, base=w.rj, offset=w.offs16, link=None if w.rd == "zero" else w.rd)


def _counter(w: Word) -> Effect:
    """Return what a read of the counter does: rj gets the counter's id, which the kernel has chosen for each CPU."""
    return Clobber((w.rd,), ()) if w.rj == "zero" else KernelState((w.rd, w.rj), ())


def _system_call(_: Word) -> Effect:
    return SystemCall()


def _trap(_: Word) -> Effect:
    return Trap()


def _group(shape: Format, effect: Callable[[Word], Effect], opcodes: str) -> tuple[Instruction, ...]:
    """Return the instructions of `opcodes`, "name opcode" a line or more of them in one."""
    words = opcodes.split()
    pairs = zip(words[::2], words[1::2], strict=True)
    return tuple(Instruction(name, int(opcode, 16), shape, effect) for name, opcode in pairs)


INSTRUCTIONS: tuple[Instruction, ...] = (
    *_group(
        _3R,
        _of_two,
        """
        add.w 00100000  add.d 00108000  sub.w 00110000  sub.d 00118000  slt 00120000  sltu 00128000
        maskeqz 00130000  masknez 00138000
        nor 00140000  and 00148000  xor 00158000  orn 00160000  andn 00168000
        sll.w 00170000  srl.w 00178000  sra.w 00180000  sll.d 00188000  srl.d 00190000  sra.d 00198000
        rotr.w 001b0000  rotr.d 001b8000
        mul.w 001c0000  mulh.w 001c8000  mulh.wu 001d0000  mul.d 001d8000  mulh.d 001e0000  mulh.du 001e8000
        mulw.d.w 001f0000  mulw.d.wu 001f8000
        div.w 00200000  mod.w 00208000  div.wu 00210000  mod.wu 00218000
        div.d 00220000  mod.d 00228000  div.du 00230000  mod.du 00238000
        crc.w.b.w 00240000  crc.w.h.w 00248000  crc.w.w.w 00250000  crc.w.d.w 00258000
        crcc.w.b.w 00260000  crcc.w.h.w 00268000  crcc.w.w.w 00270000  crcc.w.d.w 00278000
        """,
    ),
    *_group(_3R, _or, "or 00150000"),
    *_group(_3R_SA2_PLUS_1, _of_two, "alsl.w 00040000  alsl.wu 00060000  alsl.d 002c0000"),
    *_group(_3R_SA2, _of_two, "bytepick.w 00080000"),
    *_group(_3R_SA3, _of_two, "bytepick.d 000c0000"),
    *_group(
        _2R,
        _of_one,
        """
        clo.w 00001000  clz.w 00001400  cto.w 00001800  ctz.w 00001c00
        clo.d 00002000  clz.d 00002400  cto.d 00002800  ctz.d 00002c00
        revb.2h 00003000  revb.4h 00003400  revb.2w 00003800  revb.d 00003c00  revh.2w 00004000  revh.d 00004400
        bitrev.4b 00004800  bitrev.8b 00004c00  bitrev.w 00005000  bitrev.d 00005400
        ext.w.h 00005800  ext.w.b 00005c00
        """,
    ),
    *_group(_2R, _counter, "rdtimel.w 00006000  rdtimeh.w 00006400  rdtime.d 00006800"),
    *_group(_2R, lambda w: KernelState((w.rd,), (w.rj,)), "cpucfg 00006c00"),
    *_group(_2R_ASSERT, _asserted, "asrtle.d 00010000  asrtgt.d 00018000"),
    *_group(_2R_UI5, _of_one, "slli.w 00408000  srli.w 00448000  srai.w 00488000  rotri.w 004c8000"),
    *_group(_2R_UI6, _of_one, "slli.d 00410000  srli.d 00450000  srai.d 00490000  rotri.d 004d0000"),
    *_group(_2R_MSBW_LSBW, _into, "bstrins.w 00600000"),
    *_group(_2R_MSBW_LSBW, _of_one, "bstrpick.w 00608000"),
    *_group(_2R_MSBD_LSBD, _into, "bstrins.d 00800000"),
    *_group(_2R_MSBD_LSBD, _of_one, "bstrpick.d 00c00000"),
    *_group(_2R_SI12, _of_one, "slti 02000000  sltui 02400000"),
    *_group(_2R_SI12, _add_word_immediate, "addi.w 02800000"),
    *_group(_2R_SI12, _add_immediate, "addi.d 02c00000"),
    *_group(_2R_SI12, _bits_52_to_63, "lu52i.d 03000000"),
    *_group(_2R_UI12, _of_one, "andi 03400000  xori 03c00000"),
    *_group(_2R_UI12, _or_immediate, "ori 03800000"),
    *_group(_2R_SI16, _add_upper, "addu16i.d 10000000"),
    *_group(_1R_SI20, _upper_word, "lu12i.w 14000000"),
    *_group(_1R_SI20, _bits_32_to_63, "lu32i.d 16000000"),
    *_group(_1R_SI20, _pc, "pcaddi 18000000"),
    *_group(_1R_SI20, _page_of_pc, "pcalau12i 1a000000"),
    *_group(_1R_SI20, _pc_upper(12), "pcaddu12i 1c000000"),
    *_group(_1R_SI20, _pc_upper(18), "pcaddu18i 1e000000"),
    *_group(
        _2R_SI12,
        _load,
        "ld.b 28000000  ld.h 28400000  ld.w 28800000  ld.d 28c00000  ld.bu 2a000000  ld.hu 2a400000  ld.wu 2a800000",
    ),
    *_group(_2R_SI12, _store, "st.b 29000000  st.h 29400000  st.w 29800000  st.d 29c00000"),
    *_group(_2R_SI14, _load_words, "ll.w 20000000  ll.d 22000000  ldptr.w 24000000  ldptr.d 26000000"),
    *_group(_2R_SI14, _store_words, "stptr.w 25000000  stptr.d 27000000"),
    *_group(_2R_SI14, _store_if_linked, "sc.w 21000000  sc.d 23000000"),
    *_group(
        _3R,
        _load_indexed,
        """
        ldx.b 38000000  ldx.h 38040000  ldx.w 38080000  ldx.d 380c0000
        ldx.bu 38200000  ldx.hu 38240000  ldx.wu 38280000
        """,
    ),
    *_group(_3R, _store_indexed, "stx.b 38100000  stx.h 38140000  stx.w 38180000  stx.d 381c0000"),
    *_group(
        _3R_ATOMIC,
        _atomic,
        """
        amswap.w 38600000  amswap.d 38608000  amswap_db.w 38690000  amswap_db.d 38698000
        amadd.w 38610000  amadd.d 38618000  amadd_db.w 386a0000  amadd_db.d 386a8000
        amand.w 38620000  amand.d 38628000  amand_db.w 386b0000  amand_db.d 386b8000
        amor.w 38630000  amor.d 38638000  amor_db.w 386c0000  amor_db.d 386c8000
        amxor.w 38640000  amxor.d 38648000  amxor_db.w 386d0000  amxor_db.d 386d8000
        ammax.w 38650000  ammax.d 38658000  ammax_db.w 386e0000  ammax_db.d 386e8000
        ammin.w 38660000  ammin.d 38668000  ammin_db.w 386f0000  ammin_db.d 386f8000
        ammax.wu 38670000  ammax.du 38678000  ammax_db.wu 38700000  ammax_db.du 38708000
        ammin.wu 38680000  ammin.du 38688000  ammin_db.wu 38710000  ammin_db.du 38718000
        """,
    ),
    *_group(_HINT_1R_SI12, _prefetched, "preld 2ac00000"),
    *_group(_CODE15, _nothing, "dbar 38720000  ibar 38728000"),
    *_group(_CODE15, _system_call, "syscall 002b0000"),
    *_group(_CODE15, _trap, "break 002a0000"),
    *_group(
        _2R_OFFS16_COMPARED,
        _compare,
        "beq 58000000  bne 5c000000  blt 60000000  bge 64000000  bltu 68000000  bgeu 6c000000",
    ),
    *_group(_1R_OFFS21, _compare_with_zero, "beqz 40000000  bnez 44000000"),
    *_group(_OFFS26, _branch, "b 50000000"),
    *_group(_OFFS26, _call, "bl 54000000"),
    *_group(_2R_OFFS16, _indirect, "jirl 4c000000"),
)


def _by_mask() -> Mapping[int, Mapping[int, Instruction]]:
    found: dict[int, dict[int, Instruction]] = {}
    for instruction in INSTRUCTIONS:
        found.setdefault(instruction.format.mask, {})[instruction.opcode] = instruction
    return found


_BY_MASK = _by_mask()


def _instruction(word: Word) -> Instruction | None:
    for mask, instructions in _BY_MASK.items():
        found = instructions.get(word.bits & mask)
        if found is not None:
            return found if found.format.defined(word) else None
    return None


def decode(code: bytes, at: int) -> tuple[int, Effect] | None:
    """Return size in bytes and effect of the instruction at offset `at` (its address too); None if it is not known."""
    return _decode(code[at : at + SIZE], at)


@lru_cache(maxsize=1 << 16)
def _decode(code: bytes, at: int) -> tuple[int, Effect] | None:
    if len(code) < SIZE or at % SIZE:  # fetched from between two words, an instruction raises an address error
        return None
    word = Word(int.from_bytes(code, "little"), at)
    instruction = _instruction(word)
    return None if instruction is None else (SIZE, instruction.effect(word))


def text(code: bytes, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Yield address, size and text of each instruction in [start, end); an unknown one as `.word 0x…`."""
    for at in range(start, end, SIZE):
        size = min(SIZE, end - at)
        word = Word(int.from_bytes(code[at : at + size], "little"), at)
        instruction = _instruction(word) if size == SIZE else None
        yield at, size, f".word {word.bits:#010x}" if instruction is None else _text(instruction, word)


def _text(instruction: Instruction, w: Word) -> str:
    match instruction.name, w.rd, w.rj:
        case "andi", "zero", "zero" if w.ui12 == 0:
            return "nop"
        case "or", _, _ if w.rk == "zero":
            return f"move {_register(w.rd)}, {_register(w.rj)}"
        case "jirl", "zero", "ra" if w.offs16 == 0:
            return "ret"
        case "jirl", "zero", _ if w.offs16 == 0:
            return f"jr {_register(w.rj)}"
    return f"{instruction.name} {', '.join(map(str, instruction.format.operands(w)))}"
