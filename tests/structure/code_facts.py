"""What the source of a checkout says of its structure, read from its syntax trees."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("tumorviewer", "trainer")
Graph = Mapping[str, frozenset[str]]
"""Names to the names that they import."""


@dataclass(frozen=True)
class Module:
    """One file of the product."""

    name: str
    path: Path
    source: str
    tree: ast.Module

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Its nodes of some kinds, wherever they stand."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))


@dataclass(frozen=True)
class Code:
    """The product in a checkout, without its tests."""

    root: Path

    @cached_property
    def modules(self) -> dict[str, Module]:
        """Every module by its name."""
        found = {}
        for package in PACKAGES:
            for path in sorted((self.root / package).rglob("*.py")):
                parts = path.relative_to(self.root).with_suffix("").parts
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                source = path.read_text("utf-8")
                found[name] = Module(name, path, source, ast.parse(source))
        return found

    @cached_property
    def imports(self) -> Graph:
        """Modules to the modules of ours that they import: at the top, within functions, and for
        the type checker alone."""
        return {
            name: frozenset(self._imported(module)) - {name}
            for name, module in self.modules.items()
        }

    def _imported(self, module: Module) -> Iterator[str]:
        for node in module.nodes(ast.Import, ast.ImportFrom):
            assert isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names:
                origin = getattr(node, "module", None)
                names = (f"{origin}.{alias.name}", origin) if origin else (alias.name,)
                yield from [name for name in names if name in self.modules][:1]

    def parts_of(self, room: str) -> Graph:
        """What lies directly in a room, folders as one, to what of it that imports."""
        depth = room.count(".") + 2
        arrows: dict[str, set[str]] = defaultdict(set)
        for name, imported in self.imports.items():
            for other in imported:
                if name.startswith(f"{room}.") and other.startswith(f"{room}."):
                    ends = [".".join(each.split(".")[:depth]) for each in (name, other)]
                    arrows[ends[1]] |= set()
                    arrows[ends[0]] |= {ends[1]} - {ends[0]}
        return {name: frozenset(others) for name, others in arrows.items()}

    def only_importers(self) -> list[str]:
        """Modules that exactly one other imports."""
        importers: dict[str, int] = defaultdict(int)
        for imported in self.imports.values():
            for name in imported:
                importers[name] += 1
        return sorted(name for name, count in importers.items() if count == 1)

    def folders(self) -> dict[str, int]:
        """Folders with the number of modules that lie directly in them."""
        counts: dict[str, int] = defaultdict(int)
        for module in self.modules.values():
            counts[module.path.parent.relative_to(self.root).as_posix()] += 1
        return counts

    def classes(self) -> dict[str, list[str]]:
        """Names of classes to the modules that define one."""
        found: dict[str, list[str]] = defaultdict(list)
        for module in self.modules.values():
            for node in module.nodes(ast.ClassDef):
                assert isinstance(node, ast.ClassDef)
                found[node.name].append(module.name)
        return found

    def module_names(self) -> dict[str, list[str]]:
        """Last parts of modules' names to the modules, packages and entry points left out."""
        found: dict[str, list[str]] = defaultdict(list)
        for name, module in self.modules.items():
            if module.path.stem not in ("__init__", "__main__"):
                found[module.path.stem].append(name)
        return found

    def functions(self, *, at_top: bool = False) -> dict[str, set[str]]:
        """Names of functions and methods, or of functions of modules alone, to their modules."""
        found: dict[str, set[str]] = defaultdict(set)
        for module in self.modules.values():
            for node in module.tree.body if at_top else ast.walk(module.tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    found[node.name].add(module.name)
        return found

    def signals(self) -> list[ast.Call]:
        """Qt signals that are declared."""
        calls = (node for m in self.modules.values() for node in m.nodes(ast.Call))
        return [one for one in calls if isinstance(one, ast.Call) and _name(one.func) == "Signal"]

    def listeners(self, *signals: str) -> int:
        """How often something is connected to signals of these names."""
        return sum(
            isinstance(call.func, ast.Attribute)
            and call.func.attr == "connect"
            and _name(call.func.value) in signals
            for module in self.modules.values()
            for call in module.nodes(ast.Call)
            if isinstance(call, ast.Call)
        )

    def holders(self, kind: str, room: str) -> list[str]:
        """Attributes and fields in a room that are declared to hold one of a kind, or none."""
        return [
            f"{module.name}: {ast.unparse(node.target)}"
            for module in self.modules.values()
            if module.name.startswith(room)
            for node in module.nodes(ast.AnnAssign)
            if isinstance(node, ast.AnnAssign)
            and ast.unparse(node.annotation) in (kind, f"{kind} | None")
        ]

    def class_lines(self, name: str) -> int:
        """Lines of the first class of a name; 0 if there is none."""
        return next(
            (
                (node.end_lineno or 0) - node.lineno + 1
                for module in self.modules.values()
                for node in module.nodes(ast.ClassDef)
                if isinstance(node, ast.ClassDef) and node.name == name
            ),
            0,
        )

    def most_parameters(self, name_of_module: str) -> int:
        """Of the functions in modules of a name."""
        return max(
            (
                len(node.args.args) + len(node.args.kwonlyargs)
                for module in self.modules.values()
                if module.path.stem == name_of_module
                for node in module.nodes(ast.FunctionDef)
                if isinstance(node, ast.FunctionDef)
            ),
            default=0,
        )


def repeated(found: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """What stands more than once."""
    return {name: sorted(where) for name, where in found.items() if len(list(where)) > 1}


def lines(root: Path, *folders: str) -> int:
    """Lines of all Python files below some folders."""
    files = (path for folder in folders for path in (root / folder).rglob("*.py"))
    return sum(len(path.read_text("utf-8").splitlines()) for path in files)


def circles(graph: Graph) -> list[list[str]]:
    """Sets of names that import each other, directly or by way of others (Tarjan 1972)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in order:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], order[other])
        if lowest[name] == order[name]:
            at = stack.index(name)
            found.append(sorted(stack[at:]))
            del stack[at:]

    for name in sorted(graph):
        if name not in order:
            visit(name)
    return [circle for circle in found if len(circle) > 1]


def layers(graph: Graph) -> int:
    """Length of the longest way along arrows; a circle counts as one."""
    same = {name: circle[0] for circle in circles(graph) for name in circle}
    merged: dict[str, set[str]] = defaultdict(set)
    for name, others in graph.items():
        here = same.get(name, name)
        merged[here] |= {same.get(other, other) for other in others} - {here}
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            depths[name] = 1 + max(map(depth, merged[name]), default=0)
        return depths[name]

    return max(map(depth, list(merged)), default=0)


def _name(node: ast.expr) -> str:
    """The last part of a dotted name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
