"""Reads the weights of a loss network from whichever file they come in."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from impasto.config import USUAL_LAYERS
from impasto.core.loss_network import NORMALIZATIONS, VGG_CONVOLUTIONS, LossNetwork, build
from impasto.errors import ImpastoError
from impasto.files.download import Report
from impasto.files.weights import locate

Tensors = dict[str, Tensor]

_RGB, _BGR = False, True
_KNOWN_FILES = {
    # The beginning of the SHA-256, which is part of the published name: what the weights expect.
    "88682ab5": ("caffe-rounded", _RGB),
    "397923af": ("torchvision", _RGB),
    "dcbb9e9d": ("torchvision", _RGB),
    "b66bff10": ("torchvision", _RGB),
    "a815701f": ("torchvision", _RGB),  # squeezenet1_0 before it was saved anew
    "00b39a1b": ("caffe", _BGR),  # vgg16 of jcjohnson/pytorch-vgg
    "d01eb7cb": ("caffe", _BGR),  # vgg19 of the same
}

_CAFFE_VGG16_CORNER = (0.42947057, 0.55037946, 0.48001540)
"""The original VGG-16's very first weights for B, G, R: they tell these weights, and their order, in any file."""


@dataclass(frozen=True)
class _Content:
    """What a file holds: tensors under the file's own names, and what is known for certain of their pixels."""

    tensors: Tensors
    layout: Literal["keras", "torchvision", "impasto"]
    normalization: str = ""
    bgr: bool = False
    fallback: str = ""


def load_loss_network(
    name: str,
    file: Path | None = None,
    normalization: str = "auto",
    *,
    progress: Report | None = None,
    announce: Callable[[str], None] | None = None,
) -> LossNetwork:
    """The frozen loss network `name` (vgg16, vgg19, squeezenet, pocket) with trained weights.

    Args:
        file: Keras's ``.h5``, a ``.pth`` with torchvision's names, or ``.safetensors`` with torchvision's
            names or those of ``LossNetwork.state_dict()``; None takes the one in the package or looks for a
            known file, and downloads the usual one if there is none.
        normalization: ``caffe``, ``caffe-rounded`` or ``torchvision``: what the weights expect of a
            pixel; ``auto`` tells it from the file.
        progress: gets the state of a download.
        announce: gets sentences for the user, such as that `auto` had to guess; None makes them warnings.

    Raises:
        ImpastoError: no such network; a file that is missing, broken, of another network or not of
            numbers (the text names it and the first layer that does not fit); a failed download.
    """
    if name not in USUAL_LAYERS:
        raise ImpastoError(f"there is no loss network {name!r}; there are {', '.join(USUAL_LAYERS)}")
    if normalization not in ("auto", *NORMALIZATIONS):
        raise ImpastoError(f"normalization {normalization!r} must be auto, {', '.join(NORMALIZATIONS)}")
    say = announce or (lambda text: warnings.warn(text, stacklevel=3))
    path = file if file is not None else locate(name, progress, say)
    content = _read(path, name)
    state, is_original = _fitting(content, path, name)
    if normalization == "auto":
        normalization = content.normalization or ("caffe" if is_original else "")
    if not normalization:
        normalization = content.fallback
        say(
            f"{path} does not say what its weights expect of a pixel: taken as {normalization!r}; "
            f"if that is wrong, set the normalization ({', '.join(NORMALIZATIONS)})"
        )
    network = build(name, normalization)
    network.load_state_dict(state)
    return network


def _read(path: Path, name: str) -> _Content:
    try:
        with path.open("rb") as opened:
            head = opened.read(16)
    except OSError as error:
        raise ImpastoError(f"cannot read the weights {path}: {error.strerror or error}") from error
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _read_keras(path)
    if head.startswith((b"PK\x03\x04", b"\x80\x02")):
        return _read_torch(path, name)
    if head[8:9] == b"{":
        return _read_safetensors(path, name)
    raise ImpastoError(f"{path} is not a weight file of {name}: neither Keras .h5, nor .pth, nor .safetensors")


def _read_keras(path: Path) -> _Content:
    """Kernels are stored (height, width, in, out), for images in BGR order minus Caffe's mean."""
    try:
        import h5py
    except ImportError as error:
        raise ImpastoError(f"reading {path} needs h5py: pip install 'impasto[train]'") from error
    tensors: Tensors = {}

    def take(key: str, item: object) -> None:
        layer = re.search(r"(?:^|/)(block\d+_conv\d+)(?:/|$)", key)
        if not isinstance(item, h5py.Dataset) or not layer or "optimizer" in key:
            return
        # Whatever the version of Keras calls them, a layer has one kernel and one bias.
        value = torch.from_numpy(item[()].astype("float32"))
        part = "weight" if value.ndim == 4 else "bias"
        tensors.setdefault(f"{layer[1]}.{part}", value.permute(3, 2, 0, 1) if value.ndim == 4 else value)

    try:
        with h5py.File(path, "r") as opened:
            opened.visititems(take)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ImpastoError(f"the weight file {path} is damaged: {_line(error)}") from error
    return _Content(tensors, "keras", "caffe", bgr=True)


def _read_torch(path: Path, name: str) -> _Content:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # A damaged or hostile file can raise almost anything from the unpickler.
    except Exception as error:
        raise ImpastoError(f"the weight file {path} is damaged, or holds more than weights: {_line(error)}") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, Mapping):
        raise ImpastoError(f"{path} holds no weights by name, but a {type(state).__name__}")
    tensors = {str(key).removeprefix("module."): value for key, value in state.items() if isinstance(value, Tensor)}
    normalization, bgr = _known_file(path)
    layout = _layout(tensors)
    fallback = "torchvision" if layout == "torchvision" else _caffe_style(name)
    return _Content(tensors, layout, normalization, bgr, fallback)


def _read_safetensors(path: Path, name: str) -> _Content:
    try:
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise ImpastoError(f"the weight file {path} is damaged: {_line(error)}") from error
    named = metadata.get("normalization", "")
    if named and named not in NORMALIZATIONS:
        raise ImpastoError(f"{path} asks for normalization {named!r}; there are {', '.join(NORMALIZATIONS)}")
    return _Content(tensors, _layout(tensors), named, fallback=_caffe_style(name))


def _known_file(path: Path) -> tuple[str, bool]:
    """(normalization, whether BGR) of a published file, told by its name or, if it was renamed, by its hash."""
    for prefix, facts in _KNOWN_FILES.items():
        if prefix in path.name:
            return facts
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return _KNOWN_FILES.get(digest[:8], ("", _RGB))


def _caffe_style(name: str) -> str:
    return "caffe-rounded" if name == "squeezenet" else "caffe"


def _layout(tensors: Tensors) -> Literal["torchvision", "impasto"]:
    return "impasto" if any(key.startswith("layers.") for key in tensors) else "torchvision"


def _fitting(content: _Content, path: Path, name: str) -> tuple[Tensors, bool]:
    """The network's state in its own names, checked, and whether these are the original VGG-16 weights."""
    with torch.device("meta"):
        network = build(name, _caffe_style(name))
    modules = [(key, module) for key, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    state: Tensors = {}
    for (ours, module), theirs in zip(modules, _names(name, content.layout, modules), strict=True):
        for part in ("weight", "bias"):
            wanted = getattr(module, part).shape
            state[f"{ours}.{part}"] = _checked(content.tensors, f"{theirs}.{part}", wanted, ours, path, name)
    key = f"{modules[0][0]}.weight"
    original_bgr, original_rgb = (_is_original(weights) for weights in (state[key], state[key].flip(1)))
    if content.bgr or original_bgr:
        state[key] = state[key].flip(1)
    return state, original_bgr or original_rgb


def _is_original(first: Tensor) -> bool:
    """Whether the first layer is the original VGG-16's in the original order B, G, R."""
    return torch.allclose(first[0, :, 0, 0], torch.tensor(_CAFFE_VGG16_CORNER), atol=1e-3)


def _checked(tensors: Tensors, key: str, wanted: torch.Size, ours: str, path: Path, name: str) -> Tensor:
    layer = ours.split(".")[1]
    if key not in tensors:
        raise ImpastoError(f"{path} does not fit {name}: {layer} is missing ({key})")
    value = tensors[key]
    if value.shape != wanted:
        raise ImpastoError(
            f"{path} does not fit {name}: {key} is {tuple(value.shape)}, where {layer} needs {tuple(wanted)}"
        )
    value = value.to(torch.float32)
    if not torch.isfinite(value.sum()):  # one such value spoils the sum: far faster than asking each
        raise ImpastoError(f"{path} is damaged: {key} ({layer}) holds values that are no numbers")
    return value


def _names(name: str, layout: str, modules: list[tuple[str, nn.Conv2d]]) -> list[str]:
    """What `layout` calls the convolutions, in the order of the network."""
    if layout == "impasto":
        return [key for key, _ in modules]
    if name == "squeezenet":
        fires = (3, 4, 5, 7, 8, 9, 10, 12)  # between them lie the pooling layers
        parts = ("squeeze", "expand1x1", "expand3x3")
        return ["features.0", *(f"features.{number}.{part}" for number in fires for part in parts)]
    names, index = [], 0
    for stage, count in enumerate(VGG_CONVOLUTIONS[name], start=1):
        for number in range(1, count + 1):
            names.append(f"block{stage}_conv{number}" if layout == "keras" else f"features.{index}")
            index += 2  # the convolution and its ReLU
        index += 1  # pooling
    return names


def _line(error: BaseException) -> str:
    """The first line of an error's text: a message of ours is one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
