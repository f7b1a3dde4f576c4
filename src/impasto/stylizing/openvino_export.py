"""Styles as OpenVINO models (IR), for its runtimes in other languages."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files.style_file import Style
from impasto.stylizing.graph import draw
from impasto.stylizing.openvino_ops import OpenVinoOps
from impasto.stylizing.openvino_runtime import op, ov
from impasto.stylizing.samples import Floats


def openvino_model(style: Style, mix: Floats | None, facts: Mapping[str, str]) -> ov.Model:
    """The style's network: ``photos`` (B, 3, H, W), float32 pixel values 0 to 255, any size → ``stylized`` likewise.

    Args:
        mix: the weights (styles,) of its styles, built in; None makes them a second input, ``mix`` (B or 1, styles).
        facts: what the model says of itself.
    """
    photos = op.parameter(ov.PartialShape([-1, 3, -1, -1]), ov.Type.f32, name="photos")
    inputs = [photos]
    if mix is None:
        inputs.append(op.parameter(ov.PartialShape([-1, style.network.styles]), ov.Type.f32, name="mix"))
    result = draw(OpenVinoOps(inputs[1] if mix is None else mix), style.network, style.tensors, photos)
    model = ov.Model([result], inputs, "impasto")
    for node in inputs:
        node.output(0).get_tensor().set_names({node.get_friendly_name()})
    model.output(0).get_tensor().set_names({"stylized"})
    for name, value in facts.items():
        model.set_rt_info(value, ["impasto", name])
    return model


def save(model: ov.Model, folder: Path, name: str) -> Path:
    """Writes ``name.xml`` and ``name.bin`` into `folder`, each whole or not at all. Raises ImpastoError if it can't."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=folder) as temporary:
            ov.save_model(model, str(Path(temporary) / f"{name}.xml"), compress_to_fp16=False)
            for suffix in (".bin", ".xml"):
                (Path(temporary) / f"{name}{suffix}").replace(folder / f"{name}{suffix}")
    except (OSError, RuntimeError) as error:
        raise ImpastoError(f"cannot write {folder / name}.xml: {error}") from error
    return folder / f"{name}.xml"
