"""Styles as models for other runtimes."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files import atomic
from impasto.files.style_file import IDENTITY, Style
from impasto.stylizing.manner import Manner, WhichStyle
from impasto.stylizing.samples import Floats
from impasto.stylizing.stylizer import Stylizer
from impasto.version import __version__
from impasto.workflows.common import AnyPath

ONNX_SUFFIX = ".onnx"


@dataclass(frozen=True)
class ExportOptions:
    """What the model paints."""

    style: WhichStyle = None
    """A name of the stylizer's, or weights by name that mix several; None is the one that was loaded."""
    strength: float = 1.0
    """From 0, the photo, to 1, the style."""
    mix_input: bool = False
    """Let the model take the weights of its styles as an input, instead of building one mix in."""


def export(
    stylizer: Stylizer,
    *,
    onnx: AnyPath | None = None,
    openvino: AnyPath | None = None,
    name: str = "style",
    options: ExportOptions | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Writes the style's network as an ONNX file, as an OpenVINO model (`name`.xml and .bin in a folder), or both.

    The models take and give pixel values: float32 (B, 3, H, W) RGB from 0 to 255, any height, width and batch.

    Raises:
        ImpastoError: nothing to write, a file that exists and must not be replaced, a strength that the style cannot
            give, or a package that is not installed.
    """
    options = options or ExportOptions()
    if onnx is None and openvino is None:
        raise ImpastoError("export to what? Name a file with --onnx, or a folder with --openvino")
    mix = None if options.mix_input else _mix(stylizer, options)
    facts = _facts(stylizer.style, mix)
    if onnx is not None and Path(onnx).suffix != ONNX_SUFFIX:
        raise ImpastoError(f"--onnx is {onnx}; name a file that ends with {ONNX_SUFFIX}")
    ir = [] if openvino is None else [Path(openvino) / f"{name}{suffix}" for suffix in (".xml", ".bin")]
    for target in [*ir, *([] if onnx is None else [Path(onnx)])]:
        if target.exists() and not overwrite:
            raise ImpastoError(f"will not overwrite {target}: it exists already; name another, or add --overwrite")
    written = []
    if onnx is not None:
        target = Path(onnx)
        if importlib.util.find_spec("onnx") is None:
            raise ImpastoError("writing ONNX needs a package that is not here: pip install 'impasto[onnx]'")
        from impasto.stylizing.onnx_export import onnx_bytes, onnx_model

        atomic.write_bytes(target, onnx_bytes(onnx_model(stylizer.style, mix, facts)))
        written.append(target)
    if openvino is not None:
        from impasto.stylizing.openvino_export import openvino_model, save

        written.append(save(openvino_model(stylizer.style, mix, facts), Path(openvino), name))
    return written


def _mix(stylizer: Stylizer, options: ExportOptions) -> Floats:
    strength = Manner(strength=options.strength).strength
    if strength < 1 and IDENTITY not in stylizer.style.names:
        raise ImpastoError(
            f"the strength is {strength}, and this style has no row that gives the photo back, "
            "so its model has one strength; blend its result with the photo instead"
        )
    return stylizer.weights(options.style, strength)


def _facts(style: Style, mix: Floats | None) -> dict[str, str]:
    """What the model says of itself."""
    weights = {} if mix is None else {n: round(float(w), 6) for n, w in zip(style.names, mix, strict=True) if w}
    return {
        "impasto": __version__,
        "styles": json.dumps(list(style.names), ensure_ascii=False),
        "mix": json.dumps(weights, ensure_ascii=False),
        "provenance": json.dumps(dict(style.provenance), sort_keys=True, ensure_ascii=False),
    }
