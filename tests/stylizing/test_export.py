"""Exported models in ONNX Runtime and OpenVINO against the network in PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from networks import KINDS, network_of, style_of
from numpy.typing import NDArray

from impasto.errors import ImpastoError
from impasto.files import gallery
from impasto.stylizing.backends import make_backend
from impasto.stylizing.onnx_export import onnx_bytes, onnx_model
from impasto.stylizing.openvino_export import openvino_model, save
from impasto.stylizing.openvino_runtime import ov
from impasto.stylizing.stylizer import Stylizer
from impasto.workflows.exporting import ExportOptions, export

MIX = np.array([0.5, 0.3, 0.2], np.float32)
SIZES = ((1, 17, 30), (2, 40, 41), (3, 33, 64))


def photos(batch: int, height: int, width: int) -> NDArray[np.float32]:
    return np.random.default_rng(5).uniform(0, 255, (batch, 3, height, width)).astype(np.float32)


def answer(kind: str, values: NDArray[np.float32], mix: NDArray[np.float32]) -> NDArray[np.float32]:
    return 255 * network_of(kind)(torch.from_numpy(values / 255), torch.from_numpy(mix)).numpy()


def in_onnxruntime(data: bytes, **inputs: NDArray[Any]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["stylized"], inputs)[0])


def in_openvino(model: Any, **inputs: NDArray[Any]) -> NDArray[np.float32]:
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled(inputs)["stylized"])


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_is_the_network_in_both_runtimes(kind: str, tmp_path: Path) -> None:
    data = onnx_bytes(onnx_model(style_of(kind), MIX))
    (tmp_path / "model.onnx").write_bytes(data)
    read = ov.Core().read_model(tmp_path / "model.onnx")
    for size in SIZES:
        values = photos(*size)
        expected = answer(kind, values, MIX)
        np.testing.assert_allclose(in_onnxruntime(data, photos=values), expected, atol=5e-3)
        np.testing.assert_allclose(in_openvino(read, photos=values), expected, atol=5e-3)


@pytest.mark.parametrize("kind", ["classic, reflection, linear, skip", "turbo"])
def test_the_mix_as_an_input_weighs_the_styles_of_each_image(kind: str, tmp_path: Path) -> None:
    style = style_of(kind)
    data = onnx_bytes(onnx_model(style))
    saved = save(openvino_model(style, None, {}), tmp_path, "m")
    for mixes in (MIX[None], np.array([[1, 0, 0], [0, 0.5, 0.5]], np.float32)):
        values = photos(2, 21, 26)
        expected = answer(kind, values, mixes)
        np.testing.assert_allclose(in_onnxruntime(data, photos=values, mix=mixes), expected, atol=5e-3)
        np.testing.assert_allclose(
            in_openvino(ov.Core().read_model(saved), photos=values, mix=mixes), expected, atol=5e-3
        )


@pytest.mark.parametrize("kind", KINDS)
def test_the_openvino_model_is_the_network(kind: str, tmp_path: Path) -> None:
    saved = save(openvino_model(style_of(kind), MIX, {"styles": "abc"}), tmp_path / "new", "m")
    assert sorted(path.name for path in saved.parent.iterdir()) == ["m.bin", "m.xml"]
    model = ov.Core().read_model(saved)
    assert model.get_rt_info(["impasto", "styles"]).astype(str) == "abc"
    for size in SIZES:
        values = photos(*size)
        np.testing.assert_allclose(in_openvino(model, photos=values), answer(kind, values, MIX), atol=5e-3)


def stylizer(base: str) -> Stylizer:
    style = gallery.load(gallery.path_of(base))
    return Stylizer(style, make_backend(style, "cpu", "openvino", "float32"), "the_scream")


def test_what_is_built_in_is_what_was_asked_for_and_the_file_says_so(tmp_path: Path) -> None:
    made = stylizer("turbo")
    target = tmp_path / "new" / "half.onnx"
    options = ExportOptions({"great_wave": 1.0, "udnie": 3.0}, strength=0.5)
    assert export(made, onnx=target, options=options) == [target]
    model = onnx.load(target)
    onnx.checker.check_model(model, full_check=True)
    facts = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(facts["mix"]) == {"great_wave": 0.125, "udnie": 0.375, "identity": 0.5}
    assert json.loads(facts["styles"]) == list(made.style.names)
    assert "paintings" in json.loads(facts["provenance"])
    assert model.opset_import[0].version >= 20
    pixels = np.random.default_rng(1).integers(0, 256, (37, 50, 3), np.uint8)
    ours = in_onnxruntime(target.read_bytes(), photos=np.float32(pixels.transpose(2, 0, 1))[None])[0].transpose(1, 2, 0)
    theirs = made(pixels, {"great_wave": 1.0, "udnie": 3.0}, strength=0.5)
    assert np.abs(ours - theirs).max() <= 0.52
    assert [path.name for path in target.parent.iterdir()] == ["half.onnx"]


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    made = stylizer("turbo")
    (tmp_path / "there.onnx").write_text("mine")
    plain = Stylizer(style_of("turbo"), make_backend(style_of("turbo"), "cpu", "torch"))
    for arguments, text in (
        ({}, "export to what"),
        ({"onnx": tmp_path / "model.pb"}, r"a file that ends with \.onnx"),
        ({"onnx": tmp_path / "there.onnx"}, "will not overwrite"),
        ({"onnx": tmp_path / "a.onnx", "options": ExportOptions(strength=1.5)}, "strength is 1.5"),
        ({"onnx": tmp_path / "a.onnx", "options": ExportOptions("nonesuch")}, "has no style"),
    ):
        with pytest.raises(ImpastoError, match=text):
            export(made, **arguments)
    with pytest.raises(ImpastoError, match="no row that gives the photo back"):
        export(plain, onnx=tmp_path / "a.onnx", options=ExportOptions(strength=0.5))
    assert (tmp_path / "there.onnx").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["there.onnx"]
    export(made, onnx=tmp_path / "there.onnx", overwrite=True)
    onnx.load(tmp_path / "there.onnx")
