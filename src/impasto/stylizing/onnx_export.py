"""Styles as ONNX models, for whatever runs those."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import TensorProto, helper

from impasto.files.style_file import Style
from impasto.stylizing.graph import draw
from impasto.stylizing.onnx_ops import IR_VERSION, OPSET, OnnxOps
from impasto.stylizing.samples import Floats
from impasto.version import __version__

PHOTOS, MIX, STYLIZED = "photos", "mix", "stylized"


def onnx_model(style: Style, mix: Floats | None = None, facts: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """The style's network: ``photos`` (B, 3, H, W), float32 pixel values 0 to 255, any size → ``stylized`` likewise.

    Args:
        mix: the weights (styles,) of its styles, built in; None makes them a second input, ``mix`` (B or 1, styles).
        facts: what the model says of itself.
    """
    ops = OnnxOps(MIX if mix is None else mix)
    stylized = draw(ops, style.network, style.tensors, PHOTOS)
    ops.nodes[-1].output[0] = STYLIZED
    assert stylized == ops.nodes[-1].name
    image: list[str | int | None] = ["batch", 3, "height", "width"]
    inputs = [helper.make_tensor_value_info(PHOTOS, TensorProto.FLOAT, image)]
    if mix is None:
        inputs.append(helper.make_tensor_value_info(MIX, TensorProto.FLOAT, ["mixes", style.network.styles]))
    outputs = [helper.make_tensor_value_info(STYLIZED, TensorProto.FLOAT, image)]
    graph = helper.make_graph(ops.nodes, "impasto", inputs, outputs, ops.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name, model.producer_version = "impasto", __version__
    model.doc_string = "Fast neural style transfer: photos and stylized images in pixel values from 0 to 255, RGB."
    helper.set_model_props(model, dict(facts or {}))
    return model


def onnx_bytes(model: onnx.ModelProto) -> bytes:
    """The model as a file's content, checked."""
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
