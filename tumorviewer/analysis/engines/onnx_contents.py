"""What an ONNX file holds, read without loading it: operators, and weights by name.

The few fields of onnx.proto that this needs are read as protocol buffers lay them out, so that a
graph can be refused before a library takes it. Field numbers: onnx/onnx.proto of ONNX 1.19.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tumorviewer.errors import InputError
from tumorviewer.language import later, tr

OPERATORS = frozenset(
    [
        *("Add", "AveragePool", "Cast", "Clip", "Concat", "Constant", "Conv", "Div", "Exp"),
        *("Expand", "Flatten", "Gather", "GatherND", "Gemm", "GlobalAveragePool", "Greater"),
        *("Identity", "MatMul", "Max", "MaxPool", "Mean", "Min", "Mul", "Pow", "ReduceMax"),
        *("ReduceMean", "ReduceSum", "Relu", "Reshape", "Resize", "Shape", "Sigmoid", "Slice"),
        *("Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where"),
    ]
)
"""What a graph may consist of: arithmetic, and no control flow, files or functions of others."""
WEIGHTS_FILE = "model.safetensors"
_FLOAT = 1
_INLINE_LIMIT = 2**20
_AGAIN = later("Get the model again from where it came from, or choose the engine torch.")


@dataclass(frozen=True)
class GraphContents:
    """What a graph of ours holds."""

    weights: dict[str, tuple[int, ...]]
    """Names and shapes of what it takes from the bundle's tensors."""


def read_contents(graph: bytes, source: str) -> GraphContents:
    """Read and check a serialised ModelProto.

    Raises
    ------
    InputError
        If it is damaged, or holds anything that a graph without weights does not need.
    """
    try:
        graphs = [value for number, value in _fields(graph) if number == 7]
        functions = [value for number, value in _fields(graph) if number == 25]
        (content,) = (_bytes(each) for each in graphs)
        parts = [(number, value) for number, value in _fields(content)]
        operators = [_operator(_bytes(value)) for number, value in parts if number == 1]
        tensors = [_tensor(_bytes(value)) for number, value in parts if number == 5]
    except (ValueError, IndexError) as error:
        raise InputError(source, tr("It is not an ONNX graph, or damaged."), tr(_AGAIN)) from error
    for name in operators:
        if name not in OPERATORS:
            reason = tr("The graph holds the operator {name}, which no model needs.", name=name)
            raise InputError(source, reason, tr(_AGAIN))
    outside = [one for one in tensors if one.location]
    is_sparse = any(number == 15 for number, _ in parts)
    is_strange = functions or is_sparse or any(one.location != WEIGHTS_FILE for one in outside)
    if is_strange or sum(one.inline for one in tensors) > _INLINE_LIMIT:
        reason = tr("The graph holds more than a graph without weights does.")
        raise InputError(source, reason, tr(_AGAIN))
    return GraphContents({one.name: one.shape for one in outside})


@dataclass(frozen=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    inline: int
    location: str


def _operator(node: bytes) -> str:
    """Its name, with its domain where that is not ONNX's own; attributes may hold no graphs."""
    kind, domain = "", ""
    for number, value in _fields(node):
        if number == 4:
            kind = _bytes(value).decode()
        elif number == 7:
            domain = _bytes(value).decode()
        elif number == 5 and (problem := _attribute(_bytes(value))):
            return f"{kind}, {problem}"
    return f"{domain}::{kind}" if domain not in ("", "ai.onnx") else kind


def _attribute(content: bytes) -> str:
    """What is wrong with an attribute of an operator; empty if nothing is."""
    for number, value in _fields(content):
        if number in (6, 11):
            return "with a graph of its own"
        if number in (5, 10) and _tensor(_bytes(value)).location:
            return "with values of another file"
    return ""


def _tensor(content: bytes) -> _Tensor:
    name, location, shape, inline = "", "", [], 0
    for number, value in _fields(content):
        if number == 1 and isinstance(value, int):
            shape.append(value)
        elif number == 1:
            shape += list(_packed(_bytes(value)))
        elif number == 8:
            name = _bytes(value).decode()
        elif number == 13:
            entry = dict(_fields(_bytes(value)))
            if _bytes(entry[1]) == b"location":
                location = _bytes(entry[2]).decode()
        elif number in (4, 5, 6, 7, 9, 10, 11):
            inline += len(_bytes(value)) if isinstance(value, bytes) else 8
    return _Tensor(name, tuple(shape), inline, location)


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of one message (protocol buffers' wire format)."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(content, at)
            yield number, value
            continue
        size, at = (8, at) if wire == 1 else (4, at) if wire == 5 else _varint(content, at)
        if wire not in (1, 2, 5) or at + size > len(content):
            msg = "not a message"
            raise ValueError(msg)
        yield number, content[at : at + size]
        at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            msg = "not a number"
            raise ValueError(msg)


def _packed(content: bytes) -> Iterator[int]:
    at = 0
    while at < len(content):
        value, at = _varint(content, at)
        yield value


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        msg = "a number in the place of a message"
        raise ValueError(msg)  # noqa: TRY004 - of the file, not of the caller
    return value
