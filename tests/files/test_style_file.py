"""Style files: what is written comes back, and whatever else is read ends in one clear error."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impasto.config import NetworkConfig
from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files import style_file
from impasto.files.style_file import Style
from impasto.stylizing.backends import make_backend
from impasto.training.result import make_style, probe_photo

fuzz = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
PROVENANCE = {"painting": "Die große Welle – 神奈川沖浪裏", "iterations": 40000, "options": {"epochs": 2, "ema": 0.5}}


@pytest.fixture(scope="module")
def style() -> Style:
    torch.manual_seed(8)
    network = TransformerNet(NetworkConfig(width=2, blocks=1, padding="reflection", styles=2))
    for name, parameter in network.named_parameters():
        if name.endswith(("scale", "offset", "bias")):
            torch.nn.init.normal_(parameter, 1.0 if name.endswith("scale") else 0.0, 0.4)
    return make_style(network.config, dict(network.named_parameters()), ["große Welle", "b"], PROVENANCE)


@pytest.fixture(scope="module")
def data(style: Style, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A whole style file's bytes."""
    path = tmp_path_factory.mktemp("whole") / "whole.safetensors"
    style_file.save(path, style)
    return path.read_bytes()


Rewrite = Callable[..., Path]


@pytest.fixture
def rewrite(data: bytes, tmp_path: Path) -> Rewrite:
    """Writes the style file with its tensors and its header changed: well formed, but not ours any more."""

    def write(
        tensors: Callable[[dict[str, Any]], Any] = lambda _: None, header: Callable[[Any], Any] = lambda header: header
    ) -> Path:
        arrays = safetensors.numpy.load(data)
        length = int.from_bytes(data[:8], "little")
        stored = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["impasto"])
        tensors(arrays)
        changed = header(stored)
        path = tmp_path / "rewritten.safetensors"
        text = changed if isinstance(changed, str) else json.dumps(changed)
        path.write_bytes(safetensors.numpy.save(arrays, {"impasto": text}))
        return path

    return write


def load_fully(path: Path) -> None:
    """All that stands between a file and the first stylized image."""
    make_backend(style_file.load(path), "cpu", precision="float32")


# --- Round trip ---


def test_a_style_comes_back(style: Style, tmp_path: Path) -> None:
    path = tmp_path / "neuer Ordner" / "große Welle.safetensors"
    style_file.save(path, style)
    found = style_file.load(path)
    assert found.network == style.network
    assert found.names == ("große Welle", "b")
    assert found.provenance == PROVENANCE
    assert found.tensors.keys() == style.tensors.keys()
    for name, value in style.tensors.items():
        assert found.tensors[name].dtype == np.float32
        np.testing.assert_array_equal(found.tensors[name], value)
    np.testing.assert_array_equal(found.probe_photo, style.probe_photo)
    np.testing.assert_array_equal(found.probe_stylized, style.probe_stylized)
    make_backend(found, "cpu", precision="float32")


def test_a_style_needs_a_name_for_each_of_its_styles(style: Style) -> None:
    for names in ((), ("one",), ("one", "two", "three")):
        with pytest.raises(ImpastoError, match=f"{len(names)} style names for a network of 2 styles"):
            replace(style, names=names)


def test_arrays_that_are_views_are_written_as_they_look(style: Style, tmp_path: Path) -> None:
    turned = {name: np.asfortranarray(value) for name, value in style.tensors.items()}
    photo = np.asfortranarray(style.probe_photo)
    answer = style.probe_stylized[:, ::-1].copy()[:, ::-1]
    style_file.save(tmp_path / "a", replace(style, tensors=turned, probe_photo=photo, probe_stylized=answer))
    found = style_file.load(tmp_path / "a")
    for name, value in style.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], value)
    np.testing.assert_array_equal(found.probe_photo, style.probe_photo)
    np.testing.assert_array_equal(found.probe_stylized, style.probe_stylized)


def test_the_same_style_gives_the_same_bytes(style: Style, data: bytes, tmp_path: Path) -> None:
    style_file.save(tmp_path / "again", style)
    assert (tmp_path / "again").read_bytes() == data


def test_the_probe_is_the_networks_own_answer(style: Style) -> None:
    assert style.probe_photo.dtype == np.uint8
    assert style.probe_photo.shape == (1, 40, 52, 3)
    np.testing.assert_array_equal(style.probe_photo, probe_photo())
    network = TransformerNet(style.network).eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in style.tensors.items()})
    with torch.inference_mode():
        answer = network(torch.from_numpy(style.probe_photo).permute(0, 3, 1, 2) / 255, 0)
    np.testing.assert_allclose(style.probe_stylized, answer.numpy(), atol=1e-4)
    assert style.probe_stylized.std() > 0.01


# --- Nothing half written ---


def test_a_failed_save_leaves_the_old_file_and_nothing_else(style: Style, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "kept.safetensors"
    path.write_bytes(data)
    with pytest.raises(TypeError):
        style_file.save(path, replace(style, provenance={"painting": object()}))
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_is_named_and_stays(style: Style, tmp_path: Path) -> None:
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    with pytest.raises(ImpastoError, match=r"cannot write .*taken"):
        style_file.save(tmp_path / "taken", style)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ImpastoError, match="cannot write"):
        style_file.save(tmp_path / "file" / "style.safetensors", style)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]


# --- What is no style file ---


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match=r"there is no style file .*gone\.safetensors"):
        style_file.load(tmp_path / "gone.safetensors")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match=tmp_path.name):
        style_file.load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"\0" * 8, b"\0" * 64, b"\xff" * 64, b"{}", b"\x02" + b"\0" * 7 + b"{}", b"\x02" + b"\0" * 7 + b"[]"],
)
def test_a_file_of_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.safetensors").write_bytes(content)
    with pytest.raises(ImpastoError, match=r"odd\.safetensors is"):
        style_file.load(tmp_path / "odd.safetensors")


class _Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("sprung"),)


def test_a_pickle_renamed_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trap.safetensors").write_bytes(pickle.dumps(_Trap()))
    torch.save({"weight": torch.zeros(3)}, "torch.safetensors")
    for name in ("trap.safetensors", "torch.safetensors"):
        with pytest.raises(ImpastoError, match="not a whole style file"):
            style_file.load(name)
    assert not Path("sprung").exists()


def test_safetensors_of_another_program_are_told_apart(tmp_path: Path) -> None:
    for metadata in (None, {}, {"format": "pt"}):
        path = tmp_path / "foreign.safetensors"
        path.write_bytes(safetensors.numpy.save({"weight": np.zeros(3, np.float32)}, metadata))
        with pytest.raises(ImpastoError, match="not a style file of impasto"):
            style_file.load(path)


@pytest.mark.parametrize("version", [0, 2, 99, "1", None, 1.5])
def test_another_version_is_refused_with_the_way_out(version: object, rewrite: Rewrite) -> None:
    path = rewrite(header=lambda header: {**header, "version": version})
    with pytest.raises(ImpastoError, match=rf"version {version}, .*reads version 1; .*made with"):
        style_file.load(path)


@pytest.mark.parametrize("missing", ["version", "network", "names", "provenance"])
def test_a_header_without_one_of_its_parts_is_refused(missing: str, rewrite: Rewrite) -> None:
    path = rewrite(header=lambda header: {key: value for key, value in header.items() if key != missing})
    with pytest.raises(ImpastoError, match=f"header is incomplete .*{missing}"):
        style_file.load(path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "3", "[]", '"text"', "NaN", "{}", '{"version": 1}', "[" * 100_000, "1" * 5000],
    ids=lambda text: text[:14],
)
def test_a_header_of_other_json_is_refused(text: str, rewrite: Rewrite) -> None:
    with pytest.raises(ImpastoError, match=r"rewritten\.safetensors"):
        style_file.load(rewrite(header=lambda _: text))


@pytest.mark.parametrize(
    "network",
    [
        None,
        [],
        "classic",
        {"width": 2, "block": 1},
        {"width": 0},
        {"width": "2"},
        {"width": 2.0, "blocks": 1, "styles": 2},
        {"width": True, "blocks": 1, "styles": 2},
        {"width": 2, "blocks": 1.0, "styles": 2},
        {"width": 2, "blocks": 1, "styles": 2.0},
        {"width": float("nan")},
        {"width": 10**30},
        {"width": 2, "blocks": -1, "styles": 2},
        {"width": 2, "blocks": 1, "styles": 2, "padding": "zeros"},
        {"width": 2, "blocks": 1, "styles": 2, "padding": ["zero"]},
    ],
    ids=str,
)
def test_an_impossible_network_is_refused(network: object, rewrite: Rewrite) -> None:
    path = rewrite(header=lambda header: {**header, "network": network})
    with pytest.raises(ImpastoError):
        load_fully(path)


@pytest.mark.parametrize(
    "names",
    [None, 3, [], ["one"], ["one", "two", "three"], ["one", 2], [["one"], "two"], "ab", ["one", "\x1b[31m"]],
    ids=str,
)
def test_impossible_names_are_refused(names: object, rewrite: Rewrite) -> None:
    with pytest.raises(ImpastoError):
        load_fully(rewrite(header=lambda header: {**header, "names": names}))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused_by_name(value: float, rewrite: Rewrite) -> None:
    def spoil(tensors: dict[str, Any]) -> None:
        tensors["head.weight"][1, 0, 4, 4] = value

    with pytest.raises(ImpastoError, match=r"head\.weight holds values that are not finite"):
        style_file.load(rewrite(spoil))


@pytest.mark.parametrize("kind", [np.float64, np.float16, np.int32, np.uint8])
def test_weights_of_another_type_are_refused(kind: type, rewrite: Rewrite) -> None:
    path = rewrite(lambda tensors: tensors.update({"head.bias": tensors["head.bias"].astype(kind)}))
    with pytest.raises(ImpastoError, match=r"head\.bias"):
        style_file.load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.pop("head.bias"),
        lambda t: t.update({"extra": np.zeros(3, np.float32)}),
        lambda t: t.update({"head.bias": np.zeros(4, np.float32)}),
        lambda t: t.update({"head.bias": np.zeros((3, 1), np.float32)}),
        lambda t: t.update({"head.bias": np.zeros(0, np.float32)}),
        lambda t: t.update({"head.weight": t["head.weight"][:, :1]}),
        lambda t: t.update({"down.0.norm.scale": t["down.0.norm.scale"][:1]}),
    ],
    ids=["missing", "extra", "longer", "other shape", "empty", "fewer channels", "fewer styles"],
)
def test_weights_that_do_not_fit_the_network_are_refused(change: Callable[[Any], Any], rewrite: Rewrite) -> None:
    with pytest.raises(ImpastoError, match="do not fit"):
        load_fully(rewrite(change))


@pytest.mark.parametrize(
    "network", [{"width": 3}, {"blocks": 0}, {"blocks": 2}, {"styles": 1, "names": ["a"]}, {"padding": "zero"}], ids=str
)
def test_weights_of_another_network_are_refused(network: dict[str, Any], rewrite: Rewrite) -> None:
    def change(header: Any) -> Any:
        names = network.get("names", header["names"])
        parts = {key: value for key, value in network.items() if key != "names"}
        return {**header, "names": names, "network": {**header["network"], **parts}}

    with pytest.raises(ImpastoError):
        load_fully(rewrite(header=change))


@pytest.mark.parametrize("name", ["probe.photo", "probe.stylized"])
@pytest.mark.parametrize(
    "value",
    [
        None,
        np.zeros(0, np.uint8),
        np.zeros(3, np.uint8),
        np.zeros((1, 40, 52, 4), np.uint8),
        np.zeros((40, 52, 3), np.uint8),
        np.zeros((2, 40, 52, 3), np.uint8),
        np.zeros((1, 0, 52, 3), np.uint8),
        np.full((1, 40, 52, 3), np.nan, np.float32),
        np.full((1, 3, 40, 52), np.nan, np.float32),
        np.zeros((1, 3, 40, 52), np.int64),
    ],
    ids=lambda value: "missing" if value is None else f"{value.dtype} {value.shape}",
)
def test_an_impossible_probe_is_refused(name: str, value: Any, rewrite: Rewrite) -> None:
    with pytest.raises(ImpastoError):
        load_fully(rewrite(lambda tensors: tensors.pop(name) if value is None else tensors.update({name: value})))


# --- Damage ---


@fuzz
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(share: float, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ImpastoError, match=r"cut\.safetensors is not a whole style file"):
        style_file.load(path)


@pytest.mark.parametrize("missing", [1, 2, 100])
def test_a_file_without_its_last_bytes_is_refused(missing: int, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(data[:-missing])
    with pytest.raises(ImpastoError, match="not a whole style file"):
        style_file.load(path)


def flipped(data: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    return bytes(changed)


@settings(fuzz, max_examples=300)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_header_is_refused_or_does_no_harm(
    where: float, bit: int, data: bytes, tmp_path: Path
) -> None:
    length = 8 + int.from_bytes(data[:8], "little")
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(flipped(data, int(where * length), bit))
    try:
        load_fully(path)
    except ImpastoError as error:
        assert "\n" not in str(error)  # noqa: PT017


@settings(fuzz, max_examples=30)  # a second each
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_weights_is_refused_or_does_no_harm(
    where: float, bit: int, style: Style, data: bytes, tmp_path: Path
) -> None:
    begin = 8 + int.from_bytes(data[:8], "little")
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(flipped(data, begin + int(where * (len(data) - begin)), bit))
    try:
        backend = make_backend(style_file.load(path), "cpu", precision="float32")
    except ImpastoError:
        return
    photo = style.probe_photo.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    answer = backend(photo, np.array([1, 0], np.float32))
    assert np.abs(answer - style.probe_stylized).max() <= 2 / 255


@fuzz
@given(content=st.binary(max_size=300))
def test_any_bytes_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "random.safetensors"
    path.write_bytes(content)
    with pytest.raises(ImpastoError, match=r"random\.safetensors"):
        style_file.load(path)
