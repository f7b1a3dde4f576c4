"""The definitions once more in NumPy, float64, with plain loops: what the package's numbers are held against.

One image at a time, (C, H, W); nothing here knows torch. Weights come as arrays in the package's names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = Mapping[str, Array]

CAFFE_MEAN = (123.68, 116.779, 103.939)

# Layer, output channels, whether a 2×2 pooling comes before: Simonyan, Zisserman 2015, column D.
VGG16 = (
    ("relu1_1", 64, False),
    ("relu1_2", 64, False),
    ("relu2_1", 128, True),
    ("relu2_2", 128, False),
    ("relu3_1", 256, True),
    ("relu3_2", 256, False),
    ("relu3_3", 256, False),
    ("relu4_1", 512, True),
    ("relu4_2", 512, False),
    ("relu4_3", 512, False),
)


def convolve(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0, mode: str = "constant") -> Array:
    """Cross-correlation of x (I, H, W) with weight (O, I, k, k), one kernel position after the other."""
    size = weight.shape[2]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)), mode=mode)
    height = (padded.shape[1] - size) // stride + 1
    width = (padded.shape[2] - size) // stride + 1
    result = np.zeros((weight.shape[0], height, width)) + bias[:, None, None]
    for row in range(size):
        for column in range(size):
            rows = slice(row, row + stride * (height - 1) + 1, stride)
            columns = slice(column, column + stride * (width - 1) + 1, stride)
            result += np.tensordot(weight[:, :, row, column], padded[:, rows, columns], axes=1)
    return result


def relu(x: Array) -> Array:
    return np.where(x > 0, x, 0.0)


def max_pool(x: Array) -> Array:
    """2×2, stride 2; an odd last row or column is dropped."""
    height, width = x.shape[1] // 2, x.shape[2] // 2
    corners = [x[:, dy : 2 * height : 2, dx : 2 * width : 2] for dy in (0, 1) for dx in (0, 1)]
    return np.maximum.reduce(corners)


def instance_norm(x: Array, scale: Array, offset: Array) -> Array:
    result = np.empty_like(x)
    for channel, plane in enumerate(x):
        variance = np.mean((plane - plane.mean()) ** 2)
        result[channel] = (plane - plane.mean()) / np.sqrt(variance + 1e-5) * scale[channel] + offset[channel]
    return result


def nearest_twice(x: Array) -> Array:
    height, width = x.shape[1:]
    result = np.empty((x.shape[0], 2 * height, 2 * width))
    for row in range(2 * height):
        for column in range(2 * width):
            result[:, row, column] = x[:, row // 2, column // 2]
    return result


def transformer(weights: Weights, photo: Array, *, blocks: int, padding: str, output: str, mix: Array) -> Array:
    """The image transformer network on a photo (3, H, W) in [0, 1], both sides multiples of 4 and at least 8."""
    mode = {"zero": "constant", "reflection": "reflect"}[padding]

    def conv(x: Array, name: str, stride: int = 1) -> Array:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return convolve(x, weight, bias, stride, weight.shape[2] // 2, mode)

    def conv_norm(x: Array, name: str, stride: int = 1) -> Array:
        scale, offset = mix @ weights[f"{name}.norm.scale"], mix @ weights[f"{name}.norm.offset"]
        return instance_norm(conv(x, f"{name}.conv", stride), scale, offset)

    x = relu(conv_norm(255 * photo, "down.0"))
    x = relu(conv_norm(x, "down.1", stride=2))
    x = relu(conv_norm(x, "down.2", stride=2))
    for block in range(blocks):
        inner = relu(conv_norm(x, f"blocks.{block}.first"))
        x = x + conv_norm(inner, f"blocks.{block}.second")
    x = relu(conv_norm(nearest_twice(x), "up.0"))
    x = relu(conv_norm(nearest_twice(x), "up.1"))
    x = conv(x, "head")
    return (np.tanh(x) + 1) / 2 if output == "tanh" else (np.clip(x, -1, 1) + 1) / 2


def bilinear_twice(x: Array) -> Array:
    """Each new pixel is a quarter and three quarters of the two old ones that its centre lies between."""

    def along(rows: Array) -> Array:
        before = np.concatenate([rows[:, :1], rows[:, :-1]], axis=1)
        after = np.concatenate([rows[:, 1:], rows[:, -1:]], axis=1)
        both = np.stack([0.25 * before + 0.75 * rows, 0.75 * rows + 0.25 * after], axis=2)
        return both.reshape(rows.shape[0], -1, rows.shape[2])

    return along(along(x).swapaxes(1, 2)).swapaxes(1, 2)


def cells_to_channels(x: Array, cell: int) -> Array:
    channels, height, width = x.shape
    result = np.empty((channels * cell * cell, height // cell, width // cell))
    for channel in range(channels):
        for row in range(cell):
            for column in range(cell):
                result[(channel * cell + row) * cell + column] = x[channel, row::cell, column::cell]
    return result


def channels_to_cells(x: Array, cell: int) -> Array:
    channels, height, width = x.shape
    result = np.empty((channels // cell**2, height * cell, width * cell))
    for channel in range(len(result)):
        for row in range(cell):
            for column in range(cell):
                result[channel, row::cell, column::cell] = x[(channel * cell + row) * cell + column]
    return result


def turbo(weights: Weights, photo: Array, *, blocks: int, cell: int, padding: str, mix: Array) -> Array:
    """The turbo network with linear output on a photo (3, H, W) in [0, 1], both sides multiples of `cell`."""
    mode = {"zero": "constant", "reflection": "reflect"}[padding]

    def conv(x: Array, name: str, mode: str = mode) -> Array:
        return convolve(x, weights[f"{name}.weight"], weights[f"{name}.bias"], 1, 1, mode)

    def conv_norm(x: Array, name: str, mode: str = mode) -> Array:
        scale, offset = mix @ weights[f"{name}.norm.scale"], mix @ weights[f"{name}.norm.offset"]
        return instance_norm(conv(x, f"{name}.conv", mode), scale, offset)

    x = relu(conv_norm(cells_to_channels(255 * photo, cell), "down.0"))
    for block in range(blocks):
        x = x + conv_norm(relu(conv_norm(x, f"blocks.{block}.first")), f"blocks.{block}.second")
    for step in range({4: 1, 8: 2}[cell]):
        x = relu(conv_norm(bilinear_twice(x), f"up.{step}", "constant" if padding == "zero" else "edge"))
    x = relu(conv(np.concatenate([x, cells_to_channels(2 * photo - 1, 2)]), "head.mixed"))
    x = np.pad(channels_to_cells(conv(x, "head.full"), 2), ((0, 0), (1, 1), (1, 1)), mode="reflect")
    for axis in (1, 2):
        before, here, after = (np.take(x, range(n, n + x.shape[axis] - 2), axis) for n in range(3))
        x = (before + 2 * here + after) / 4
    return (np.clip(x, -1, 1) + 1) / 2


def vgg16_features(convolutions: Sequence[tuple[Array, Array]], image: Array, names: Sequence[str]) -> dict[str, Array]:
    """Features of an image (3, H, W) in [0, 1] by layer; convolutions as (weight, bias), in order."""
    x = np.stack([255 * plane - mean for plane, mean in zip(image, CAFFE_MEAN, strict=True)])
    found = {}
    for (name, channels, pooled), (weight, bias) in zip(VGG16, convolutions, strict=False):
        assert weight.shape[0] == channels
        x = relu(convolve(max_pool(x) if pooled else x, weight, bias, padding=1))
        if name in names:
            found[name] = x
    return found


def gram(features: Array) -> Array:
    return np.einsum("ihw,jhw->ij", features, features, optimize=True) / features.size


def content_loss(stylized: Sequence[Array], photos: Sequence[Array]) -> float:
    """Over the features of a batch's images at one layer."""
    total, count = 0.0, 0
    for ours, theirs in zip(stylized, photos, strict=True):
        total += float(((ours - theirs) ** 2).sum())
        count += ours.size
    return total / count


def style_loss(stylized: Sequence[Sequence[Array]], style: Sequence[Sequence[Array]]) -> float:
    """Features as [image][layer]; the style has one list of layers for each image."""
    images = []
    for ours, theirs in zip(stylized, style, strict=True):
        images.append(sum(float(((gram(a) - gram(b)) ** 2).sum()) for a, b in zip(ours, theirs, strict=True)))
    return sum(images) / len(images)


def balanced_content_loss(stylized: Sequence[Array], photos: Sequence[Array]) -> float:
    ratios = [float(((a - b) ** 2).sum() / (b**2).sum()) for a, b in zip(stylized, photos, strict=True)]
    return sum(ratios) / len(ratios)


def balanced_style_loss(stylized: Sequence[Sequence[Array]], style: Sequence[Sequence[Array]]) -> float:
    ratios = []
    for ours, theirs in zip(stylized, style, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            distance, ours2, theirs2 = (float((g**2).sum()) for g in (gram(a) - gram(b), gram(a), gram(b)))
            ratios.append(distance / (ours2 + theirs2))
    return sum(ratios) / len(ratios)


def total_variation(images: Array) -> float:
    """Of (B, C, H, W)."""
    parts = []
    for axis in (2, 3):
        differences = np.diff(images, axis=axis)
        if differences.size:
            parts.append(float((differences**2).mean()))
    return sum(parts)


def liveliness(image: Array) -> Array:
    """(3, H, W) → (h, w), each window summed pixel by pixel."""
    _, height, width = image.shape
    window = min(16, height - 1), min(16, width - 1)
    rows = range(0, height - 1 - window[0] + 1, 4)
    columns = range(0, width - 1 - window[1] + 1, 4)
    found = np.zeros((len(rows), len(columns)))
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            for y in range(top, top + window[0]):
                for x in range(left, left + window[1]):
                    down, right = image[:, y + 1, x] - image[:, y, x], image[:, y, x + 1] - image[:, y, x]
                    found[i, j] += (down**2 + right**2).mean()
    return found / (window[0] * window[1])


def calm_loss(stylized: Array, photo: Array, painting: Array) -> float:
    own = liveliness(painting)
    flat = np.exp(-liveliness(photo) / 0.03**2)
    excess = np.maximum(liveliness(stylized) - np.quantile(own, 0.25), 0)
    return float((flat * excess).mean() / own.mean())
