"""Hostile style files: whole ones, files made by hand to take more than they seem to, and mutations by a seed."""

from __future__ import annotations

import json
import os
import random
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from hostile_bombs import pickled
from hostile_images import MUTATIONS, NASTY, whole
from impasto.config import NetworkConfig
from impasto.files import gallery, style_file
from impasto.files.style_file import BaseName, Style
from impasto.stylizing import backends, graph
from impasto.stylizing.samples import planes_of

Tensors = dict[str, np.ndarray]
Rng = random.Random


@cache
def good() -> tuple[tuple[str, Tensors, dict[str, Any]], ...]:
    """Name, tensors and header of each good style file: two bodies, and rows of a base."""
    classic = network_of(NetworkConfig(width=2, blocks=1, padding="reflection", styles=2))
    turbo = network_of(NetworkConfig("turbo", width=4, blocks=1, output="linear", skip=True))
    return tuple((name, *parts_of(style)) for name, style in (("classic", classic), ("turbo", turbo), ("rows", rows())))


def network_of(config: NetworkConfig) -> Style:
    """Random weights, with the answer of OpenVINO as its probe."""
    rng = np.random.default_rng(config.width)
    shapes = graph.parameter_shapes(config)
    tensors = {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}
    photo = rng.integers(0, 256, (1, 24, 28, 3), dtype=np.uint8)
    names = tuple(f"style {number}" for number in range(config.styles))
    style = Style(config, names, tensors, {"options": {}}, photo, np.zeros((1, 3, 24, 28), np.float32))
    backend = backends.build(style, backends.Choice("openvino", "float32", "cpu", ""))
    answer = backend(planes_of(photo), np.eye(config.styles, dtype=np.float32)[0])
    return Style(config, names, tensors, {"options": {}}, photo, answer)


def rows() -> Style:
    base = style_file.load(gallery.path_of("turbo"))
    tensors = {name: value[:1] for name, value in base.tensors.items() if gallery.is_row(name)}
    network = NetworkConfig(**{**vars(base.network), "styles": 1})
    of = BaseName("turbo", gallery.body_sha256(base.tensors))
    return Style(network, base.names[:1], tensors, {}, base.probe_photo, base.probe_stylized, of)


def parts_of(style: Style) -> tuple[Tensors, dict[str, Any]]:
    header = {
        "version": style_file.FORMAT_VERSION,
        "network": dict(vars(style.network)),
        "names": list(style.names),
        "provenance": dict(style.provenance),
        **({"base": style.base._asdict()} if style.base else {}),
    }
    probe = {style_file.PROBE_PHOTO: style.probe_photo, style_file.PROBE_STYLIZED: style.probe_stylized}
    return {**style.tensors, **probe}, header


def file_of(tensors: Tensors, header: Any) -> bytes:
    text = header if isinstance(header, str) else json.dumps(header)
    whole_arrays = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    return safetensors.numpy.save(whole_arrays, {style_file.METADATA_KEY: text})


def mutated(rng: Rng) -> tuple[str, bytes]:
    """What was changed and the file."""
    what = rng.choice(("bytes", "head", "head", "header", "header", "tensors", "tensors", "layout"))
    _, tensors, header = rng.choice(good())
    if what == "header":
        return what, file_of(tensors, json_changed(header, rng))
    if what == "tensors":
        return what, file_of(tensors_changed(dict(tensors), rng), header)
    data = file_of(tensors, header)
    if what == "bytes":
        return what, rng.choice(MUTATIONS)(data, rng)
    length = 8 + int.from_bytes(data[:8], "little")
    if what == "head":
        return what, rng.choice(MUTATIONS[1:5])(data[:length], rng) + data[length:]
    return what, layout_changed(data, length, rng)


# --- What a mutation changes ---

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 3, 512, 4096, 1 << 31, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", "x", "classic", "\0", "\x1b[2J", "\n", "\ud800", "../../etc/passwd", "é" * 300, "x" * 100_000),
    *([], {}, [[]], {"a": 1}, ["a"] * 4096, list(range(10_000)), {"version": 1}),
)


def json_changed(value: Any, rng: Rng, depth: int = 0) -> Any:
    """A copy with something else in one place of it."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.1 * depth:
        return rng.choice(ODD_VALUES)
    copy: Any = value.copy()
    key = rng.choice(list(copy)) if isinstance(copy, dict) else rng.randrange(len(copy))
    kind = rng.random()
    if kind < 0.1:
        del copy[key]
    elif kind < 0.2 and isinstance(copy, dict):
        copy[rng.choice(("x", "width", "base", "", "\x1b[31m", "styles"))] = rng.choice(ODD_VALUES)
    else:
        copy[key] = json_changed(copy[key], rng, depth + 1)
    return copy


def tensors_changed(tensors: Tensors, rng: Rng) -> Tensors:
    """One tensor gone, foreign, or of other values, type or shape."""
    name = rng.choice([*tensors, style_file.PROBE_PHOTO, style_file.PROBE_STYLIZED])
    value = tensors[name]
    spoiled = value.copy()
    spoiled.flat[rng.randrange(value.size)] = rng.choice((0, 1, 200))
    if value.dtype == np.float32:
        spoiled.flat[rng.randrange(value.size)] = rng.choice((np.nan, np.inf, -np.inf, 3e38, 1e-45))
    new_types = (np.float64, np.float16, np.int64, np.uint8, np.bool_, np.int8)
    changed: Any = rng.choice(
        (
            spoiled,
            value.astype(rng.choice(new_types)),
            value.ravel(),
            value[None],
            value[..., :0],
            value[:0],
            np.repeat(value, 2, rng.randrange(value.ndim)),
            np.zeros(rng.choice(((), (0,), (1,), (1, 0, 0, 3), (1,) * 30)), value.dtype),
            (value.astype(np.float64) * 1e30).astype(value.dtype) if value.dtype == np.float32 else value.T,
        )
    )
    if rng.random() < 0.2:
        del tensors[name]
    if rng.random() < 0.2:
        name = rng.choice(("foreign", "", "\x1b[31mred", "line\nline", "x" * 10_000, "__metadata", "head.weight.0"))
    tensors[name] = changed
    return tensors


def layout_changed(data: bytes, length: int, rng: Rng) -> bytes:
    """The table of tensors with another type, shape or place, its length as it now is."""
    table = json.loads(data[8:length])
    entry = table[rng.choice([name for name in table if name != "__metadata__"])]
    numbers = (*NASTY, -1, 1 << 40, (1 << 63) - 1, (1 << 64) - 1, 1 << 64)
    key = rng.choice(("dtype", "shape", "data_offsets"))
    entry[key] = rng.choice(
        (
            [rng.choice(numbers) for _ in range(rng.choice((1, 2, 4)))],
            rng.choice(ODD_VALUES),
            rng.choice(("F64", "F8_E4M3", "BF16", "F4", "I8", "C64", "U64")),
        )
    )
    head = json.dumps(table).encode()
    said = rng.choice((len(head), len(head), len(head), len(head) + 1, rng.choice(NASTY)))
    return struct.pack("<Q", said) + head + data[length:]


# --- Made by hand ---


def changed(header: dict[str, Any] | None = None, network: dict[str, Any] | None = None, **tensors: Any) -> bytes:
    """The classic style with other parts; a tensor's dots are written as underscores here."""
    _, own, said = good()[0]
    replaced = {name: tensors.get(name.replace(".", "_"), value) for name, value in own.items()}
    return file_of(replaced, {**said, "network": {**said["network"], **(network or {})}, **(header or {})})


def head_of(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def many_tensors(count: int) -> bytes:
    table = {f"t{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(count)}
    return head_of(json.dumps(table).encode())


def many_in_one_place(count: int) -> bytes:
    """Tensors that all claim the same megabyte."""
    table: dict[str, Any] = {
        f"t{number}": {"dtype": "U8", "shape": [1 << 20], "data_offsets": [0, 1 << 20]} for number in range(count)
    }
    table["__metadata__"] = {style_file.METADATA_KEY: "{}"}
    return head_of(json.dumps(table).encode()) + bytes(1 << 20)


def probe(height: int, width: int) -> bytes:
    return changed(
        probe_photo=np.zeros((1, height, width, 3), np.uint8),
        probe_stylized=np.zeros((1, 3, height, width), np.float32),
    )


BOMBS: dict[str, Callable[[], bytes]] = {
    "head of 2^63": lambda: b"\xff" * 7 + b"\x7f" + b"{}",
    "head of 99 MB": lambda: struct.pack("<Q", 99_000_000) + b"{}" + b" " * 98_999_998,
    "head of 99 MB of brackets": lambda: head_of(b'{"__metadata__":' + b"[" * 99_000_000),
    "metadata of 90 MB of lists": lambda: json_of(90 << 20, "[],"),
    "metadata of 90 MB of numbers": lambda: json_of(90 << 20, "0.1,"),
    "metadata of 7 MB of lists": lambda: json_of(7 << 20, "[],"),
    "metadata of 7 MB of text": lambda: changed({"names": ["x" * (7 << 20), "b"]}),
    "200,000 tensors": lambda: many_tensors(200_000),
    "tensors in one place": lambda: many_in_one_place(5000),
    "version of 7 MB": lambda: changed({"version": "x" * (7 << 20)}),
    "names of 7 MB": lambda: changed({"names": 3 * ["x" * (2 << 20)]}),
    "a key of 7 MB": lambda: changed(network={"x" * (7 << 20): 1}),
    "a body of 7 MB": lambda: changed(network={"body": "x" * (7 << 20)}),
    "width 512, 64 blocks": lambda: changed(network={"width": 512, "blocks": 64}),
    "4096 styles": lambda: changed({"names": ["x"] * 4096}, {"styles": 4096}),
    "10^30 styles": lambda: changed(network={"styles": 10**30}),
    "probe of 25 million": lambda: probe(5000, 5000),
    "probe of one row": lambda: probe(1, 2_000_000),
    "probe of one pixel": lambda: probe(1, 1),
    "probe of nothing": lambda: probe(0, 0),
    "deep json": lambda: file_of(good()[0][1], "[" * 1_000_000),
    "long number": lambda: file_of(good()[0][1], "1" * 1_000_000),
    "base elsewhere": lambda: changed({"base": {"name": "../../secret", "sha256": "0"}}),
    "base of 7 MB": lambda: changed({"base": {"name": "x" * (7 << 20), "sha256": "0"}}),
    "pickle": pickled,
    "pickle in the head": lambda: head_of(pickled()),
    "pickle as metadata": lambda: file_of(good()[0][1], pickled().decode("latin-1")),
    "a jpeg": lambda: whole()["jpeg"],
    "a zip": lambda: b"PK\x03\x04" + bytes(1000),
    "hdf5": lambda: b"\x89HDF\r\n\x1a\n" + bytes(1000),
    "onnx": lambda: b"\x08\x07\x12\x07pytorch" + bytes(100),
    "empty": lambda: b"",
}


def json_of(size: int, piece: str) -> bytes:
    """Our own header with a provenance of `size` bytes."""
    _, tensors, header = good()[0]
    text = json.dumps({**header, "provenance": {"options": {}, "x": 0}})
    return file_of(tensors, text.replace('"x": 0', '"x": [' + piece * (size // len(piece)) + "0]"))


def _sparse(size: int) -> Callable[[Path], None]:
    """One tensor of zeros of that size in an otherwise good file."""

    def make(path: Path) -> None:
        data = changed()
        length = 8 + int.from_bytes(data[:8], "little")
        table = json.loads(data[8:length])
        end = len(data) - length
        table["foreign"] = {"dtype": "F32", "shape": [size // 4], "data_offsets": [end, end + size // 4 * 4]}
        path.write_bytes(head_of(json.dumps(table).encode()) + data[length:])
        os.truncate(path, path.stat().st_size + size // 4 * 4)

    return make


PLACES: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a tensor of 3 GB": _sparse(3 << 30),
    "a tensor of 900 MB": _sparse(900 << 20),
    "a tensor of 300 MB": _sparse(300 << 20),
}
"""What is no file of bytes, or too large to be one in memory."""
