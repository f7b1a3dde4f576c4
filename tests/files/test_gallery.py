"""The bundled networks of many styles, and files of rows that belong to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from impasto.errors import ImpastoError
from impasto.files import gallery, style_file
from impasto.files.style_file import IDENTITY, METADATA_KEY, Style
from impasto.stylizing.backends import make_backend

PAINTINGS = ("composition_vii", "edtaonisl", "great_wave", "starry_night", "tableau", "the_scream", "udnie")
PAINTINGS += ("wheat_field", "flow_field", "linocut", "pointillism", "stained_glass")


@pytest.fixture(scope="module")
def base() -> Style:
    return style_file.load(gallery.path_of("turbo"))


def fitted(base: Style, name: str, like: str, factor: float) -> Style:
    """A file's content of rows that are those of the base's style `like`, their offsets times `factor`."""
    row = base.names.index(like)
    tensors = {
        key: value[row : row + 1] * np.float32(factor if key.endswith("offset") else 1)
        if gallery.is_row(key)
        else value
        for key, value in base.tensors.items()
    }
    style = replace(base, network=replace(base.network, styles=1), names=(name,), tensors=tensors)
    return gallery.rows_of(style, "turbo")


Save = Callable[[Style, str], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(style: Style, name: str) -> Path:
        style_file.save(tmp_path / name, style)
        return tmp_path / name

    return write


def answers(style: Style, row: str, others: str | None = None) -> np.ndarray:
    mix = np.zeros(len(style.names), np.float32)
    for name in (row, others or row):
        mix[style.names.index(name)] += 0.5
    photo = np.random.default_rng(2).random((1, 3, 24, 36), dtype=np.float32)
    from impasto.stylizing.torch_backend import TorchBackend

    return TorchBackend(style, "cpu")(photo, mix)


def test_every_painting_is_there_twice_with_its_credits() -> None:
    names = gallery.bundled()
    assert set(names) == {name + ending for name in PAINTINGS for ending in ("", "-turbo")}
    assert list(names) == sorted(names)
    for path, row in names.values():
        style = style_file.load(path)
        assert style.names[-1] == IDENTITY
        assert row in style.names
        credit = style.provenance["paintings"][row]
        assert set(credit) == {"artist", "title", "year", "rights", "sha256"}
        assert credit["rights"] in ("public domain", "Apache-2.0")
        assert len(credit["sha256"]) == 64


@pytest.mark.parametrize(("name", "most"), [("classic", 4_000_000), ("turbo", 1_500_000)])
def test_the_networks_are_small_and_give_the_answer_in_their_file(name: str, most: int) -> None:
    assert gallery.path_of(name).stat().st_size < most
    make_backend(style_file.load(gallery.path_of(name)), "cpu")


def test_a_file_of_rows_is_small_and_comes_with_its_base(base: Style, save: Save) -> None:
    path = save(fitted(base, "mine", "great_wave", 1.5), "mine.safetensors")
    assert path.stat().st_size < base.network.width * 1000
    with safetensors.safe_open(path, framework="numpy") as opened:
        assert all(gallery.is_row(name) or name.startswith("probe.") for name in opened.keys())  # noqa: SIM118
    found = gallery.load(path)
    assert found.names == ("mine", *base.names)
    np.testing.assert_allclose(answers(found, "great_wave"), answers(base, "great_wave"), atol=1e-6)
    assert np.abs(answers(found, "mine") - answers(base, "great_wave")).mean() > 0.01
    same = gallery.load(save(fitted(base, "same", "great_wave", 1.0), "same.safetensors"))
    np.testing.assert_allclose(answers(same, "same"), answers(base, "great_wave"), atol=1e-6)


def test_a_name_that_the_base_has_too_is_the_files_own(base: Style, save: Save) -> None:
    found = gallery.load(save(fitted(base, "udnie", "great_wave", 1.0), "udnie.safetensors"))
    assert found.names.count("udnie") == 1
    np.testing.assert_allclose(answers(found, "udnie"), answers(base, "great_wave"), atol=1e-6)
    np.testing.assert_allclose(answers(found, "udnie of the gallery"), answers(base, "udnie"), atol=1e-6)


def test_rows_of_another_version_of_the_base_are_refused(base: Style, save: Save) -> None:
    other = {name: value * np.float32(1.001) for name, value in base.tensors.items()}
    path = save(fitted(replace(base, tensors=other), "old", "udnie", 1.0), "old.safetensors")
    with pytest.raises(
        ImpastoError, match=r"old.safetensors was fitted on another version of the base network 'turbo'"
    ):
        gallery.load(path)
    style = fitted(base, "odd", "udnie", 1.0)
    assert style.base is not None
    foreign = save(replace(style, base=style.base._replace(name="../../etc")), "odd.safetensors")
    with pytest.raises(ImpastoError, match="another version of the base network"):
        gallery.load(foreign)


def test_rows_that_do_not_fit_are_refused(base: Style, save: Save) -> None:
    whole = fitted(base, "cut", "udnie", 1.0)
    first = next(iter(whole.tensors))
    for spoiled in (
        {name: value for name, value in whole.tensors.items() if name != first},
        {**whole.tensors, first: whole.tensors[first][:, :-1]},
    ):
        path = save(replace(whole, tensors=spoiled), "cut.safetensors")
        with pytest.raises(ImpastoError, match=r"cut.safetensors is not a whole style file"):
            gallery.load(path)


@pytest.mark.parametrize("value", [{"name": "turbo"}, {"name": 3, "sha256": "x"}, "turbo", {"a": 1, "name": "turbo"}])
def test_a_header_whose_base_makes_no_sense_is_refused(base: Style, save: Save, value: object) -> None:
    path = save(fitted(base, "odd", "udnie", 1.0), "odd.safetensors")
    with safetensors.safe_open(path, framework="numpy") as opened:
        header = json.loads(opened.metadata()[METADATA_KEY])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    header["base"] = value
    path.write_bytes(safetensors.numpy.save(tensors, {METADATA_KEY: json.dumps(header)}))
    with pytest.raises(ImpastoError, match="not a whole style file"):
        gallery.load(path)


def test_fitted_and_bundled_styles_of_one_network_mix(base: Style, save: Save) -> None:
    first = save(fitted(base, "mine", "great_wave", 1.5), "first.safetensors")
    second = save(fitted(base, "mine", "udnie", 0.5), "second.safetensors")  # the same name inside
    parts: dict[str, tuple[Path, str | int]] = {
        "first": (first, 0),
        "second": (second, 0),
        "tableau-turbo": gallery.bundled()["tableau-turbo"],
    }
    found, rows = gallery.mixed(parts)
    assert rows == {"first": "first", "second": "second", "tableau-turbo": "tableau"}
    for path, row in ((first, "first"), (second, "second")):
        np.testing.assert_allclose(answers(found, row), answers(gallery.load(path), "mine"), atol=1e-6)
    np.testing.assert_allclose(answers(found, "tableau"), answers(base, "tableau"), atol=1e-6)
    assert np.abs(answers(found, "first", "second") - answers(found, "first")).mean() > 0.01


def test_styles_of_two_networks_do_not_mix(base: Style, save: Save) -> None:
    path = save(fitted(base, "mine", "great_wave", 1.5), "mine.safetensors")
    with pytest.raises(ImpastoError, match=r"only styles of one network.*mine is of turbo, udnie is of classic"):
        gallery.mixed({"mine": (path, 0), "udnie": gallery.bundled()["udnie"]})


def test_the_hash_of_a_body_is_that_of_all_but_the_rows(base: Style) -> None:
    rows = {name: value + 1 for name, value in base.tensors.items() if gallery.is_row(name)}
    assert gallery.body_sha256({**base.tensors, **rows}) == gallery.body_sha256(base.tensors)
    for name in base.tensors.keys() - rows.keys():
        changed = {**base.tensors, name: base.tensors[name] * np.float32(1.001)}
        assert gallery.body_sha256(changed) != gallery.body_sha256(base.tensors), name
