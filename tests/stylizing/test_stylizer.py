"""Stylizer: a photo of any kind comes back as the same kind, and all kinds agree; styles; sizes; memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from impasto.config import Precision
from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files.style_file import Style
from impasto.stylizing import stylizer as stylizer_module
from impasto.stylizing.backends import Backend, Photos
from impasto.stylizing.samples import Floats
from impasto.stylizing.stylizer import Stylizer, free_memory

HEIGHT, WIDTH = 21, 30


def pixels(seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def expected(network: TransformerNet, photo: NDArray[np.uint8], style: int | torch.Tensor = 0) -> NDArray[np.float64]:
    """The network's own answer, (H, W, 3) in 0..255, not rounded."""
    planes = torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1)[None]
    return 255 * network(planes, style)[0].permute(1, 2, 0).double().numpy()


@pytest.fixture
def answer(network: TransformerNet) -> NDArray[np.float64]:
    result = expected(network, pixels())
    assert result.std() > 2  # something to compare
    return result


def near(ours: NDArray[Any], theirs: NDArray[Any], tolerance: float = 0.51) -> None:
    """Equal up to rounding to whole numbers."""
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(np.float64) - theirs).max() <= tolerance


# --- Kinds of photos ---


def test_a_uint8_array_comes_back_as_one(stylizer: Stylizer, answer: NDArray[Any]) -> None:
    photo = pixels()
    result = stylizer(photo)
    assert isinstance(result, np.ndarray)
    assert result.dtype == np.uint8
    near(result, answer)
    np.testing.assert_array_equal(photo, pixels())


def test_a_uint16_array_comes_back_as_one_and_finer(stylizer: Stylizer, answer: NDArray[Any]) -> None:
    result = stylizer(pixels().astype(np.uint16) * 257)  # 255 becomes 65535
    assert result.dtype == np.uint16
    near(result / 257, answer, 0.01)
    assert (result % 257 != 0).mean() > 0.9


@pytest.mark.parametrize(("kind", "tolerance"), [(np.float32, 0.01), (np.float64, 0.01), (np.float16, 1.0)])
@pytest.mark.parametrize("batch", [True, False])
def test_a_float_array_comes_back_as_one(
    stylizer: Stylizer, answer: NDArray[Any], kind: type, tolerance: float, batch: bool
) -> None:
    photo = (pixels().transpose(2, 0, 1) / 255).astype(kind)
    result = stylizer(photo[None] if batch else photo)
    assert result.dtype == kind
    assert result.shape == ((1, 3, HEIGHT, WIDTH) if batch else (3, HEIGHT, WIDTH))
    near(255 * (result[0] if batch else result).transpose(1, 2, 0).astype(np.float64), answer, tolerance)


@pytest.mark.parametrize(
    ("kind", "tolerance"), [(torch.float32, 0.01), (torch.float64, 0.01), (torch.float16, 1.0), (torch.bfloat16, 3.0)]
)
@pytest.mark.parametrize("batch", [True, False])
def test_a_tensor_comes_back_as_one(
    stylizer: Stylizer, answer: NDArray[Any], kind: torch.dtype, tolerance: float, batch: bool
) -> None:
    photo = torch.from_numpy(pixels().transpose(2, 0, 1) / 255).to(kind).requires_grad_()
    result = stylizer(photo[None] if batch else photo)
    assert isinstance(result, torch.Tensor)
    assert result.dtype == kind
    assert not result.requires_grad
    assert result.shape == ((1, 3, HEIGHT, WIDTH) if batch else (3, HEIGHT, WIDTH))
    near(255 * (result[0] if batch else result).permute(1, 2, 0).double().numpy(), answer, tolerance)


def test_each_photo_of_a_batch_is_stylized_by_itself(stylizer: Stylizer) -> None:
    batch = np.stack([pixels(seed).transpose(2, 0, 1) / 255 for seed in range(3)])
    together = stylizer(batch)
    for photo, result in zip(batch, together, strict=True):
        np.testing.assert_array_equal(stylizer(photo), result)
    assert np.abs(together[0] - together[1]).max() > 0.1


def test_views_are_photos_like_any_other(stylizer: Stylizer) -> None:
    photo = pixels()
    flipped = stylizer(photo[:, ::-1])
    np.testing.assert_array_equal(flipped, stylizer(photo[:, ::-1].copy()))
    photo.flags.writeable = False
    stylizer(photo)
    turned = torch.from_numpy(pixels().copy()).permute(2, 1, 0) / 255
    assert torch.equal(stylizer(turned), stylizer(turned.contiguous()))


def test_a_pil_image_comes_back_as_one(stylizer: Stylizer, answer: NDArray[Any]) -> None:
    photo = Image.fromarray(pixels())
    result = stylizer(photo)
    assert isinstance(result, Image.Image)
    assert (result.mode, result.size) == ("RGB", (WIDTH, HEIGHT))
    near(np.asarray(result), answer)
    np.testing.assert_array_equal(np.asarray(photo), pixels())


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "YCbCr", "HSV"])
def test_a_pil_image_of_another_mode_becomes_the_rgb_image_that_it_shows(
    stylizer: Stylizer, network: TransformerNet, mode: str
) -> None:
    photo = Image.fromarray(pixels()).convert(mode)
    result = stylizer(photo)
    assert (result.mode, result.size) == ("RGB", (WIDTH, HEIGHT))
    near(np.asarray(result), expected(network, np.asarray(photo.convert("RGB"))))


def test_sixteen_bits_of_grey_are_the_grey_that_they_mean(stylizer: Stylizer, network: TransformerNet) -> None:
    grey = pixels()[..., 0]
    result = stylizer(Image.fromarray(grey.astype(np.uint16) * 257))
    near(np.asarray(result), expected(network, np.repeat(grey[..., None], 3, axis=2)))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_the_alpha_channel_is_kept(stylizer: Stylizer, mode: str) -> None:
    alpha = Image.fromarray(np.arange(HEIGHT * WIDTH, dtype=np.int64).reshape(HEIGHT, WIDTH).astype(np.uint8))
    photo = Image.fromarray(pixels()).convert(mode[:-1])
    if mode == "PA":
        photo = photo.convert("PA")
    photo.putalpha(alpha)
    assert photo.mode == mode
    result = stylizer(photo)
    assert (result.mode, result.size) == ("RGBA", (WIDTH, HEIGHT))
    np.testing.assert_array_equal(np.asarray(result.getchannel("A")), np.asarray(alpha))
    if mode == "LA":
        multiplied = stylizer(photo.convert("La"))
        np.testing.assert_array_equal(np.asarray(multiplied.getchannel("A")), np.asarray(alpha))
    opaque = Image.merge("RGB", photo.convert("RGBA").split()[:3])
    np.testing.assert_array_equal(np.asarray(result.convert("RGB")), np.asarray(stylizer(opaque)))


def test_a_transparent_colour_of_a_palette_becomes_alpha(stylizer: Stylizer) -> None:
    photo = Image.fromarray((np.indices((HEIGHT, WIDTH)).sum(0) % 3).astype(np.uint8), "L").convert("P")
    photo.info["transparency"] = 1
    result = stylizer(photo)
    assert result.mode == "RGBA"
    hidden = np.asarray(photo) == 1
    assert (np.asarray(result.getchannel("A")) == np.where(hidden, 0, 255)).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (7, 5), (8, 8), (9, 33)])
def test_any_size_comes_back(stylizer: Stylizer, size: tuple[int, int]) -> None:
    assert stylizer(Image.new("RGB", size, (200, 30, 90))).size == size


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((3, 8, 8), np.uint16),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((1, 8, 8, 3), np.float32),
        np.zeros((0, 3, 8, 8), np.float32),
        np.zeros((1, 1, 3, 8, 8), np.float32),
        torch.zeros(8, 8),
        torch.zeros(1, 4, 8, 8),
        torch.zeros(1, 3, 0, 8),
    ],
    ids=lambda photo: f"{photo.dtype} {tuple(photo.shape)}",
)
def test_another_shape_is_refused_with_the_right_one(stylizer: Stylizer, photo: Any) -> None:
    with pytest.raises(ValueError, match=r"shape.*3"):
        stylizer(photo)


@pytest.mark.parametrize(
    "photo",
    [
        None,
        "photo.jpg",
        [[[0, 0, 0]]],
        np.zeros((8, 8, 3), np.int64),
        np.zeros((8, 8, 3), bool),
        torch.zeros(3, 8, 8, dtype=torch.uint8),
    ],
    ids=lambda photo: f"{type(photo).__name__} {getattr(photo, 'dtype', '')}",
)
def test_another_kind_is_refused(stylizer: Stylizer, photo: Any) -> None:
    with pytest.raises(TypeError, match="a photo"):
        stylizer(photo)


# --- Styles ---


def test_a_style_is_the_same_by_name_by_number_and_as_a_mix_of_one(stylizer: Stylizer, network: TransformerNet) -> None:
    assert stylizer.names == ("wave", "große Nacht", "3")
    results = []
    for index, name in enumerate(stylizer.names):
        by_name = stylizer(pixels(), name)
        near(by_name, expected(network, pixels(), index))
        np.testing.assert_array_equal(stylizer(pixels(), index), by_name)
        np.testing.assert_array_equal(stylizer(pixels(), {name: 1.0}), by_name)
        results.append(by_name)
    np.testing.assert_array_equal(stylizer(pixels()), results[0])
    for a, b in ((0, 1), (1, 2), (0, 2)):
        assert np.abs(results[a].astype(int) - results[b]).max() > 10


def test_a_mix_weighs_the_rows(stylizer: Stylizer, network: TransformerNet) -> None:
    result = stylizer(pixels(), {"wave": 0.25, "3": 0.75})
    near(result, expected(network, pixels(), torch.tensor([0.25, 0.0, 0.75])))


@pytest.mark.parametrize("wanted", ["Wave", "", 3, -1, {"wave": 0.5, "night": 0.5}, {7: 1.0}], ids=str)
def test_an_unknown_style_is_answered_with_the_known_ones(stylizer: Stylizer, wanted: Any) -> None:
    with pytest.raises(ImpastoError, match=r"has no style .*wave, große Nacht, 3"):
        stylizer(pixels(), wanted)


# --- Memory ---


class OneByOne:
    """A backend that inverts photos and remembers how it was called."""

    name = "inverting"
    precision: Precision = "float32"

    def __init__(self, bytes_per_pixel: int = 1) -> None:
        self.bytes_per_pixel = bytes_per_pixel
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, photos: Photos, mix: Floats) -> Photos:
        self.shapes.append(photos.shape)
        assert mix.dtype == np.float32
        if photos.dtype == np.uint8:
            return np.rint((318.75 - 1.5 * photos).clip(0, 255)).astype(np.uint8)
        assert photos.dtype == np.float32
        return np.asarray(1.25 - 1.5 * photos, dtype=np.float32)

    def working_memory(self, height: int, width: int) -> int:
        return self.bytes_per_pixel * height * width


def test_a_batch_goes_through_the_backend_one_by_one(style: Style) -> None:
    backend: Backend = OneByOne()
    Stylizer(style, backend)(np.zeros((4, 3, 8, 9), np.float32))
    assert isinstance(backend, OneByOne)
    assert backend.shapes == [(1, 3, 8, 9)] * 4


def test_what_a_backend_gives_beyond_the_range_is_clipped(style: Style) -> None:
    stylizer = Stylizer(style, OneByOne())
    photo = np.array([[[0, 85, 255]]], np.uint8)
    # 1.25, 1.25 - 0.5 = 0.75 and -0.25: white, 191.25 and black.
    assert stylizer(photo).tolist() == [[[255, 191, 0]]]
    result = stylizer(photo.transpose(2, 0, 1) / 255)
    np.testing.assert_allclose(result.flatten(), [1, 0.75, 0], atol=1e-6)


def test_a_photo_too_large_for_the_memory_is_refused_before_it_is_begun(style: Style) -> None:
    backend = OneByOne(bytes_per_pixel=10**9)
    photo = np.broadcast_to(np.float32(0.5), (1, 3, 50_000, 70_000))  # takes no memory itself
    with pytest.raises(ImpastoError, match=r"70000×50000 pixels needs about .* GB.*--size \d+ or less"):
        Stylizer(style, backend)(photo)
    assert backend.shapes == []


def test_what_an_accelerator_has_no_memory_for_goes_in_strips(style: Style, network: TransformerNet) -> None:
    class Full(OneByOne):
        def __call__(self, photos: NDArray[Any], mix: NDArray[Any]) -> NDArray[Any]:
            raise MemoryError("out of memory")

    photo = pixels()
    near(Stylizer(style, Full())(photo), expected(network, photo), tolerance=1.01)


@pytest.mark.parametrize(("told", "free"), [("active_file 300\ninactive_file 200\nanon 7\n", 900), ("anon 7\n", 400)])
def test_what_a_container_keeps_of_files_gives_way(
    told: str, free: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (("memory.max", "1000\n"), ("memory.current", "600\n"), ("memory.stat", told)):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(stylizer_module, "CONTROL_GROUP", str(tmp_path))
    assert free_memory() == free


def test_the_free_memory_is_known_and_plausible() -> None:
    free = free_memory()
    assert free is None or 1 << 20 < free < 1 << 50
