# SPDX-License-Identifier: MIT
"""The errors that a source can end with, read from its syntax tree, with `…` where a value goes in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import product

ANY = "…"
# What makes an error, and the place of its message among the arguments; `error` is a method of image/load.py.
PLACES = dict.fromkeys(("error", "__init__", "StopError", "Failed", "Stop", "DemoError", "GuestError"), 0) | {"VdsoError": 1}
# In calls that hand on what was worded elsewhere, or is for the caller only.
HANDED_ON = re.compile(
    r"self\.reason|error\.reason|self\.name, what, todo|StopError\(str\(error\)\)|search\.truncated|finding\.what|struct\.error"
)
DEEP = 6  # expressions, names and functions that words are followed through


class Source:
    """One source file, called `name`."""

    def __init__(self, name: str, text: str) -> None:
        tree = ast.parse(text)
        self.program = name.partition(".")[0]  # which dump_vdso.py and sconsw put before what they stop with
        # The nodes of each function (of methods of one name together), and under "" those outside of all.
        self.scopes = {"": list(_own(tree))}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                self.scopes.setdefault(node.name, []).extend(_own(node))

    def messages(self) -> Iterator[tuple[int, str]]:
        """Yield (line, message), without backticks and without the remedy behind `; `; ANY where its words can't be found."""
        for scope, nodes in self.scopes.items():
            for call in nodes:
                if isinstance(call, ast.Call):
                    for text in self._of(call, scope):
                        yield call.lineno, text

    def _of(self, call: ast.Call, scope: str) -> set[str]:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        if name == "print" and "file" in named:  # two spaces begin what tells of progress
            texts = self._values(call.args[0], scope)
            return {_bare(text) for text in texts if not text.startswith(("  ", "usage")) and len(re.findall(r"\w+", text)) > 3}
        place = PLACES.get(name, 0)
        if name == "BuildError":
            file, told = named["filename"], named["errstr"]
        elif name in PLACES and len(call.args) > place:
            file, told = call.args[0], call.args[place]
        else:
            return set()
        if HANDED_ON.search(ast.unparse(call)):
            return set()
        files = self._values(file, scope) if file != told else {self.program if name == "Stop" else ANY}
        texts = self._values(told, scope)
        return {_bare(f"{file}: {text}") for file, text in product(files, texts - {ANY})} or {ANY}

    def _values(self, node: ast.AST | None, scope: str, deep: int = DEEP) -> set[str]:
        """Return the texts that an expression can be, as far as constants, names and functions of this file make it."""

        def joined(*parts: ast.AST) -> set[str]:
            return {"".join(each) for each in product(*(self._values(part, scope, deep - 1) for part in parts))}

        match node if deep else None:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.JoinedStr(values=parts):
                return joined(*parts)
            case ast.BinOp(left=one, op=ast.Add(), right=other):
                return joined(one, other)
            case ast.IfExp(body=one, orelse=other) | ast.BoolOp(values=[one, other]):
                return joined(one) | joined(other)
            case ast.FormattedValue(value=one, format_spec=None) | ast.Starred(value=one) | ast.Tuple(elts=[one, *_]):
                return joined(one)
            case ast.Call(func=ast.Name(id=name)) if name in self.scopes:
                returned = [n.value for n in self.scopes[name] if isinstance(n, ast.Return)]
                return {text for value in returned for text in self._values(value, name, deep - 1)}
            case ast.Name(id=name, lineno=line):
                for where in dict.fromkeys((scope, "")):
                    given = [n for n in self.scopes[where] if isinstance(n, ast.Assign) and n.lineno < line
                             and any(isinstance(t, ast.Name) and t.id == name for t in n.targets)]  # fmt: skip
                    if given:
                        return self._values(max(given, key=lambda n: n.lineno).value, where, deep - 1)
        return {ANY}


def _bare(text: str) -> str:
    text = re.sub(f"{ANY}+", ANY, text.replace("`", "").partition("; ")[0]).strip()
    return re.sub(f"^({ANY}: )+", "", text)


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(scope):
        if not isinstance(node, ast.FunctionDef):
            yield node
            yield from _own(node)
