# SPDX-License-Identifier: MIT
"""Faults of Python, from its syntax tree: what a tired author writes, and what a careless one leaves out."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from .mutant import Mutant, mutant

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}  # fmt: skip
CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "startswith": "endswith", "endswith": "startswith"}
Fault = tuple[ast.AST, str, str]
"""The part that changes, its new text, and the kind of the fault."""


def python_faults(path: str, text: str) -> list[Mutant]:
    """Return the faults of a Python file."""
    tree = ast.parse(text)
    starts = [0, *itertools.accumulate(len(line) for line in text.encode().splitlines(keepends=True))]
    found = []
    for part, new, kind in _faults(tree):
        start, end = _span(part, starts, text)
        found.append(mutant(path, text, start, end, new, kind))
    return sorted(set(found))


def _span(node: ast.AST, starts: list[int], text: str) -> tuple[int, int]:
    """Return where a part begins and ends, in characters; the tree counts bytes of a line."""
    assert isinstance(node, (ast.expr, ast.stmt))
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    raw = text.encode()
    first, last = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
    return len(raw[:first].decode()), len(raw[:last].decode())


def _faults(node: ast.AST) -> Iterator[Fault]:
    for child in _code(node):
        if isinstance(child, ast.expr):
            yield from _of_expression(child)
        elif isinstance(child, ast.stmt):
            yield from _of_statement(child)
        if not isinstance(child, ast.JoinedStr):  # before Python 3.12 nobody knows where the parts of one are
            yield from _faults(child)


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a part, but for those that are not run: annotations, docstrings, imports, decorators."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, (ast.Import, ast.ImportFrom)):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            yield child


def _text(node: ast.AST) -> str:
    return f"({ast.unparse(node)})"


def _of_expression(node: ast.expr) -> Iterator[Fault]:
    match node:
        case ast.Compare(left, operators, right):
            for at, operator in enumerate(operators):
                other = [*operators[:at], COMPARED[type(operator)](), *operators[at + 1 :]]
                yield node, _text(ast.Compare(left, other, right)), "comparison"
        case ast.BoolOp(operator, values):
            swapped = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield node, _text(ast.BoolOp(swapped, values)), "and, or"
            for at in range(len(values)):
                rest = [*values[:at], *values[at + 1 :]]
                yield node, _text(rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest)), "a term gone"
        case ast.BinOp(left, operator, right) if type(operator) in CALCULATED and not _is_text(node):
            yield node, _text(ast.BinOp(left, CALCULATED[type(operator)](), right)), "calculation"
        case ast.UnaryOp(ast.Not(), operand):
            yield node, _text(operand), "not gone"
        case ast.UnaryOp(ast.USub(), operand):
            yield node, _text(operand), "minus gone"
        case ast.Constant(bool(value)):
            yield node, str(not value), "constant"
        case ast.Constant(int(value)):
            yield node, f"({value + 1})", "constant"
            yield node, f"({value - 1})", "constant"
        case ast.IfExp(_, body, other):
            yield node, _text(body), "choice"
            yield node, _text(other), "choice"
        case ast.Call(ast.Name(name), _, _) if name in CALLED:
            yield node.func, CALLED[name], "call"
        case ast.Call(ast.Attribute(value, name), _, _) if name in CALLED:
            yield node.func, f"{ast.unparse(value)}.{CALLED[name]}", "call"


def _is_text(node: ast.BinOp) -> bool:
    """Tell whether it joins texts, which can't be subtracted: each test would find that, by a traceback."""
    return any(isinstance(part, (ast.JoinedStr, ast.Constant)) and not _is_number(part) for part in (node.left, node.right))


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float))


def _of_statement(node: ast.stmt) -> Iterator[Fault]:
    match node:
        case ast.If(test, _, _) | ast.While(test, _, _):
            if not isinstance(node, ast.While):
                yield test, "True", "condition"
            yield test, "False", "condition"
        case (
            ast.Expr(ast.Call() | ast.Yield() | ast.YieldFrom()) | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break()
        ):
            yield node, "pass", "a statement gone"
        case ast.Return(ast.expr() as value) if not isinstance(value, ast.Constant):
            yield value, "None", "no result"
