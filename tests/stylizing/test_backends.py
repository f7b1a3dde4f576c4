"""The torch backend against the network itself, and the check against the style file's own answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files.style_file import Style
from impasto.stylizing.backends import check, make_backend


def changed(style: Style, name: str, change: float) -> Style:
    return replace(style, tensors={**style.tensors, name: style.tensors[name] + np.float32(change)})


def test_the_backend_is_the_network(style: Style, network: TransformerNet) -> None:
    backend = make_backend(style, "cpu")
    photos = np.random.default_rng(1).random((2, 3, 17, 10), np.float32)
    mix = np.array([[0.5, 0.25, 0.25], [0, 0, 1]], np.float32)
    ours = backend(photos, mix)
    assert ours.dtype == np.float32
    theirs = network(torch.from_numpy(photos), torch.from_numpy(mix)).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert backend.name == "torch"


def test_the_memory_needed_grows_with_the_pixels(style: Style) -> None:
    backend = make_backend(style, "cpu")
    # At least one float32 plane for each of the first layer's channels.
    assert backend.working_memory(100, 200) >= 4 * 100 * 200 * style.network.width
    assert backend.working_memory(200, 200) == 2 * backend.working_memory(100, 200)


def test_the_backend_keeps_weights_of_its_own(style: Style) -> None:
    backend = make_backend(style, "cpu")
    photo = np.random.default_rng(1).random((1, 3, 16, 16), np.float32)
    mix = np.array([[1, 0, 0]], np.float32)
    before = backend(photo, mix)
    kept = {name: value.copy() for name, value in style.tensors.items()}
    try:
        for value in style.tensors.values():
            value[...] = 0
        np.testing.assert_array_equal(backend(photo, mix), before)
    finally:
        for name, value in kept.items():
            style.tensors[name][...] = value


def test_a_style_of_changed_weights_is_refused(style: Style) -> None:
    # A changed bias before an instance norm is no change: the norm takes it out again. All else shows.
    for name in style.tensors:
        if "conv.bias" not in name:
            with pytest.raises(ImpastoError, match=r"torch backend is off by [\d.]+ of 255"):
                make_backend(changed(style, name, 0.5), "cpu")


def test_a_backend_within_the_rounding_of_a_pixel_passes_and_beyond_it_does_not(style: Style) -> None:
    backend = make_backend(style, "cpu")
    check(backend, replace(style, probe_stylized=style.probe_stylized + np.float32(0.9 / 255)))
    with pytest.raises(ImpastoError, match=r"off by 1\.[01] of 255"):
        check(backend, replace(style, probe_stylized=style.probe_stylized + np.float32(1.1 / 255)))
    with pytest.raises(ImpastoError, match="off by nan"):
        check(backend, replace(style, probe_stylized=style.probe_stylized * np.float32("nan")))


def test_an_answer_of_another_size_is_refused(style: Style) -> None:
    with pytest.raises(ImpastoError, match="another size"):
        make_backend(replace(style, probe_stylized=style.probe_stylized.transpose(0, 1, 3, 2)), "cpu")
    with pytest.raises(ImpastoError, match="another size"):
        make_backend(replace(style, probe_photo=style.probe_photo[:, :-1]), "cpu")


def test_a_device_that_does_not_exist_is_refused(style: Style) -> None:
    with pytest.raises(ImpastoError, match="quantum"):
        make_backend(style, "quantum")
