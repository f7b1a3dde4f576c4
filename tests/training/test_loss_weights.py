"""One set of arrays in every layout must give the same features; real weights must know a cat."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from impasto.config import USUAL_LAYERS, LossConfig
from impasto.core.loss_network import NORMALIZATIONS, VGG_CHANNELS, VGG_CONVOLUTIONS, build
from impasto.core.losses import PerceptualLoss, balanced_style_loss, enlarged, gram_matrix
from impasto.errors import ImpastoError
from impasto.files.weights import packaged
from impasto.training.loss_weights import load_loss_network

h5py = pytest.importorskip("h5py")
Layers = list[tuple[Tensor, Tensor]]
LAYERS = ("relu1_1", "relu1_2", "relu2_2", "relu3_3", "relu4_3")
TORCHVISION_VGG16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
REAL = Path(__file__).resolve().parents[3] / "shared" / "loss" / "squeezenet1_0_imagenet.safetensors"


@pytest.fixture(autouse=True)
def _nothing_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("IMPASTO_CACHE", "TORCH_HOME", "KERAS_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("IMPASTO_WEIGHTS_URL", "http://127.0.0.1:9")
    yield
    for path in tmp_path.iterdir():  # 59 MB each, which pytest would keep for three runs
        if path.is_file():
            path.unlink()


def random_vgg(name: str = "vgg16") -> Layers:
    """Weights for RGB minus Caffe's mean; large at the input's side so that nothing dies out."""
    generator, inputs, layers = torch.Generator().manual_seed(3), 3, []
    for count, channels in zip(VGG_CONVOLUTIONS[name], VGG_CHANNELS, strict=True):
        for _ in range(count):
            weight = torch.randn(channels, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
            layers.append((weight, torch.randn(channels, generator=generator)))
            inputs = channels
    return layers


@pytest.fixture(scope="module")
def layers() -> Layers:
    return random_vgg()


def for_normalization(layers: Layers, normalization: str) -> Layers:
    """The same function (away from the border, where zeros mean another colour) of other inputs."""
    (weight, bias), *rest = layers
    old = torch.tensor(NORMALIZATIONS["caffe"][0]).view(1, 3, 1, 1)
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in NORMALIZATIONS[normalization])
    return [(weight * deviation, bias + (weight * (mean - old)).sum((1, 2, 3))), *rest]


def torchvision_state(layers: Layers) -> dict[str, Tensor]:
    state = {}
    for index, (weight, bias) in zip(TORCHVISION_VGG16, layers, strict=False):
        state[f"features.{index}.weight"], state[f"features.{index}.bias"] = weight.contiguous(), bias
    return state


def write_keras(path: Path, layers: Layers, name: str = "vgg16", kernel: str = "{0}/{0}_W_1:0", bias: str = "") -> Path:
    """Kernels (height, width, in, out) for B, G, R, as Keras has them."""
    names = [
        f"block{stage}_conv{number}"
        for stage, count in enumerate(VGG_CONVOLUTIONS[name], start=1)
        for number in range(1, count + 1)
    ]
    with h5py.File(path, "w") as file:
        for layer, (weight, offset) in zip(names, layers, strict=False):
            array = weight.numpy().transpose(2, 3, 1, 0)  # (height, width, in, out)
            first = layer == names[0]
            file[kernel.format(layer)] = array[:, :, ::-1] if first else array
            file[(bias or "{0}/{0}_b_1:0").format(layer)] = offset.numpy()
    return path


def photo(size: int = 112) -> Tensor:
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(5))


def features(path: Path, normalization: str = "auto", name: str = "vgg16") -> dict[str, Tensor]:
    with torch.no_grad():
        found = load_loss_network(name, path, normalization, announce=lambda _: None)(photo(), LAYERS)
    # Away from the border: padding is zero after normalization, so it is another colour for each.
    return {key: value[:, :, 6:-6, 6:-6] for key, value in found.items()}


@pytest.fixture(scope="module")
def expected(layers: Layers) -> dict[str, Tensor]:
    """By hand: the formula of VGG-16 on RGB 0..255 minus Caffe's mean."""
    x = photo() * 255 - torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1)
    found, pairs = {}, iter(layers)
    for stage, count in enumerate((2, 2, 3, 3), start=1):
        for number in range(1, count + 1):
            x = F.relu(F.conv2d(x, *next(pairs), padding=1))
            found[f"relu{stage}_{number}"] = x[:, :, 6:-6, 6:-6]
        x = F.max_pool2d(x, 2)
    return found


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name in LAYERS:
        assert found[name].numel() > 0
        scale = float(expected[name].abs().max())
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-4 * scale)


@pytest.mark.parametrize(
    ("kernel", "bias"),
    [
        ("{0}/{0}_W_1:0", "{0}/{0}_b_1:0"),
        ("model_weights/{0}/{0}/kernel:0", "model_weights/{0}/{0}/bias:0"),
    ],
)
def test_keras(tmp_path: Path, layers: Layers, expected: dict[str, Tensor], kernel: str, bias: str) -> None:
    assert_same(features(write_keras(tmp_path / "w.h5", layers, kernel=kernel, bias=bias)), expected)


@pytest.mark.parametrize(
    ("file_name", "normalization"),
    [
        ("vgg16_features-amdegroot-88682ab5.pth", "caffe-rounded"),
        ("vgg16-397923af.pth", "torchvision"),
        ("renamed.pt", "torchvision"),
    ],
)
def test_torch(tmp_path: Path, layers: Layers, expected: dict[str, Tensor], file_name: str, normalization: str) -> None:
    state = torchvision_state(for_normalization(layers, normalization))
    state["classifier.0.weight"] = torch.full((4, 4), float("nan"))  # as amdegroot's file has it
    torch.save(state, tmp_path / file_name)
    assert_same(features(tmp_path / file_name), expected)


def test_torch_of_older_format_within_a_checkpoint(tmp_path: Path, layers: Layers, expected: dict[str, Tensor]) -> None:
    state = {f"module.{key}": value for key, value in torchvision_state(layers).items()}
    path = tmp_path / "old.pth"
    torch.save({"epoch": 3, "state_dict": state}, path, _use_new_zipfile_serialization=False)
    assert_same(features(path, "caffe"), expected)


@pytest.mark.parametrize("metadata", [None, {"normalization": "torchvision"}])
def test_safetensors(
    tmp_path: Path, layers: Layers, expected: dict[str, Tensor], metadata: dict[str, str] | None
) -> None:
    normalization = metadata["normalization"] if metadata else "caffe"
    path = tmp_path / "w.safetensors"
    save_file(torchvision_state(for_normalization(layers, normalization)), path, metadata)
    assert_same(features(path), expected)


def test_our_own_state(tmp_path: Path, layers: Layers, expected: dict[str, Tensor]) -> None:
    network = load_loss_network("vgg16", write_keras(tmp_path / "w.h5", layers))
    save_file(network.state_dict(), tmp_path / "own.safetensors")
    assert_same(features(tmp_path / "own.safetensors"), expected)


def test_vgg19(tmp_path: Path) -> None:
    keras = write_keras(tmp_path / "w.h5", random_vgg("vgg19"), "vgg19")
    network = load_loss_network("vgg19", keras)
    assert network.layer_names[-1] == "relu5_4"
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_without_a_file_the_caches_are_searched_then_the_web(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match=r"127\.0\.0\.1:9/squeezenet1_0-b66bff10\.pth"):
        load_loss_network("squeezenet", announce=lambda _: None)
    folder = tmp_path / "TORCH_HOME" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(build("squeezenet", "torchvision").state_dict(), folder / "squeezenet1_0-b66bff10.pth")
    network = load_loss_network("squeezenet")
    assert network.deviation.flatten().tolist() == pytest.approx([0.229 * 255, 0.224 * 255, 0.225 * 255])


@pytest.mark.parametrize("flipped", [False, True])
def test_original_weights_are_known_in_either_order(tmp_path: Path, layers: Layers, flipped: bool) -> None:
    """Whoever saved them, and under whatever name."""
    (weight, bias), *rest = layers
    weight = weight.clone()
    weight[0, :, 0, 0] = torch.tensor([0.48001540, 0.55037946, 0.42947057])  # R, G, B
    stored = weight.flip(1) if flipped else weight
    torch.save(torchvision_state([(stored, bias), *rest]), tmp_path / "anything.pth")
    said: list[str] = []
    network = load_loss_network("vgg16", tmp_path / "anything.pth", announce=said.append)
    assert said == []
    assert network.mean.flatten().tolist() == pytest.approx([123.68, 116.779, 103.939])
    assert torch.equal(network.state_dict()["layers.relu1_1.0.weight"], weight)


def test_guess_is_named(tmp_path: Path, layers: Layers) -> None:
    torch.save(torchvision_state(layers), tmp_path / "w.pth")
    with pytest.warns(UserWarning, match=r"w\.pth does not say .* 'torchvision'"):
        load_loss_network("vgg16", tmp_path / "w.pth")


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def saved(path: Path, state: object) -> Path:
    torch.save(state, path)
    return path


def with_nan(layers: Layers) -> dict[str, Tensor]:
    state = torchvision_state(layers)
    state["features.7.bias"] = torch.full_like(state["features.7.bias"], float("nan"))
    return state


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path, layers: write_keras(path, layers[:9]), r"relu4_3 is missing \(block4_conv3.weight\)"),
        (lambda path, layers: saved(path, torchvision_state(layers[:9])), r"relu4_3 is missing \(features.21.weight\)"),
        (lambda path, layers: saved(path, {"features.0.weight": layers[1][0]}), r"relu1_1 needs \(64, 3, 3, 3\)"),
        (lambda path, layers: saved(path, with_nan(layers[:4])), r"features.7.bias \(relu2_2\)"),
        (lambda path, layers: saved(path, [1, 2]), "holds no weights by name, but a list"),
        (lambda path, layers: cut(saved(path, torchvision_state(layers[:3]))), "damaged"),
        (lambda path, layers: cut(write_keras(path, layers[:3])), "damaged"),
        (lambda path, layers: path.write_text("<html>not found"), "neither Keras"),
        (lambda path, layers: path.write_bytes(b"12345678{nonsense"), "damaged"),
        (lambda path, layers: path.write_bytes(b""), "neither Keras"),
        (lambda path, layers: None, "cannot read"),
    ],
)
def test_files_that_do_not_fit(
    tmp_path: Path, layers: Layers, make: Callable[[Path, Layers], object], says: str
) -> None:
    path = tmp_path / "weights.bin"
    make(path, layers)
    with pytest.raises(ImpastoError, match=says) as caught:
        load_loss_network("vgg16", path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network(tmp_path: Path, layers: Layers) -> None:
    path = write_keras(tmp_path / "w.h5", layers)
    with pytest.raises(ImpastoError, match="does not fit vgg19: relu3_4 is missing"):
        load_loss_network("vgg19", path)
    with pytest.raises(ImpastoError, match="does not fit squeezenet: conv1 is missing"):
        load_loss_network("squeezenet", path)


class Harm:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("harm-was-done",)


@pytest.mark.parametrize("modern", [True, False])
def test_hostile_pickle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modern: bool) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": Harm()}, "evil.pth", _use_new_zipfile_serialization=modern)
    with pytest.raises(ImpastoError, match="more than weights"):
        load_loss_network("vgg16", Path("evil.pth"))
    assert not Path("harm-was-done").exists()


def test_missing_h5py(tmp_path: Path, layers: Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_keras(tmp_path / "w.h5", layers[:1])
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImpastoError, match=r"pip install 'impasto\[train\]'"):
        load_loss_network("vgg16", path)


def test_unknown_names() -> None:
    with pytest.raises(ImpastoError, match="resnet"):
        load_loss_network("resnet", Path("x"))
    with pytest.raises(ImpastoError, match="normalization 'zero'"):
        load_loss_network("vgg16", Path("x"), "zero")


@pytest.fixture
def cat() -> Tensor:
    data = pytest.importorskip("skimage.data")
    image = torch.from_numpy(np.asarray(data.chelsea(), "float32") / 255).permute(2, 0, 1)[None]
    return F.interpolate(image, (227, 227), mode="bilinear", antialias=True)  # (1, 3, 227, 227)


@pytest.mark.skipif(not REAL.exists(), reason="no trained SqueezeNet here")
def test_real_squeezenet_sees_a_cat(cat: Tensor) -> None:
    network = load_loss_network("squeezenet", REAL, announce=lambda _: None)
    head = load_file(REAL)
    x = network(cat, ["fire9"])["fire9"]  # (1, 512, 13, 13)
    scores = F.relu(F.conv2d(x, head["classifier.1.weight"], head["classifier.1.bias"])).mean((2, 3))[0]
    assert int(scores.argmax()) == 285  # Egyptian cat
    assert float(scores.softmax(0)[285]) > 0.5


def test_pocket_comes_with_the_package() -> None:
    path = packaged("pocket")
    assert path is not None
    assert path.stat().st_size <= 1_500_000
    network = load_loss_network("pocket")  # nothing is guessed, hence no warning
    features = network(torch.rand(1, 3, 40, 56), network.layer_names)
    assert all(bool(torch.isfinite(found).all()) for found in features.values())


def test_pocket_sees_patterns_of_single_pixels() -> None:
    network = load_loss_network("pocket")
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    even = torch.full((1, 3, 64, 64), 0.5)
    for pattern in ((rows + columns) % 2, rows % 2, columns % 2):
        found, plain = (network(even + 0.1 * x, ["stage2"])["stage2"] for x in ((pattern - 0.5), 0 * pattern))
        assert float((found - plain).square().mean() / plain.square().mean()) > 0.02


def samples() -> list[Tensor]:
    """(1, 3, 192, 192) each, sample photos."""
    data = pytest.importorskip("skimage.data")
    names = ("astronaut", "chelsea", "coffee", "rocket", "retina", "immunohistochemistry", "colorwheel")
    pictures = []
    for name in names:
        picture = torch.from_numpy(np.asarray(getattr(data, name)(), "float32")[..., :3] / 255).permute(2, 0, 1)[None]
        pictures.append(F.interpolate(picture, (192, 192), mode="bilinear", antialias=True))
    return pictures


@pytest.mark.skipif(not REAL.exists(), reason="no trained SqueezeNet here")
def test_pocket_finds_the_same_pictures_alike_as_squeezenet_half_as_large_again() -> None:
    """In every layer: the few numbers a cell that a head gives tell as much as SqueezeNet's many."""
    pictures = samples()
    pairs = list(itertools.combinations(range(len(pictures)), 2))

    def distances(name: str, layer: str) -> list[float]:
        network = load_loss_network(name, REAL if name == "squeezenet" else None, announce=lambda _: None)
        factor = 1.5 / network.magnification
        grams = [gram_matrix(network(enlarged(picture, factor), [layer])[layer]) for picture in pictures]
        return [float(balanced_style_loss([grams[i]], [grams[j]])) for i, j in pairs]

    for theirs in USUAL_LAYERS["squeezenet"].style:
        ours = "stage2" if theirs == "conv1" else theirs
        assert np.corrcoef(distances("pocket", ours), distances("squeezenet", theirs))[0, 1] > 0.9, ours


@pytest.mark.skipif(not REAL.exists(), reason="no trained SqueezeNet here")
def test_pocket_changes_a_picture_as_squeezenet_does() -> None:
    """Its gradient is nearer to that of SqueezeNet, which sees the picture enlarged, than if that saw it as it is."""
    networks = {
        "pocket": load_loss_network("pocket"),
        "squeezenet": load_loss_network("squeezenet", REAL, announce=lambda _: None),
    }
    *photos, painting, _ = samples()

    def gradient(name: str, photo: Tensor, scale: float) -> Tensor:
        """Of the balanced loss at a picture between photo and painting, flat, by squares of 8 pixels."""
        config = LossConfig(loss_network=name, balanced=True, style_weight=10.0, look_scale=(scale, scale))
        loss = PerceptualLoss(networks[name], [painting], config)
        picture = torch.lerp(photo, painting.flip(3), 0.3).requires_grad_()
        loss(picture, photo).total.backward()
        assert picture.grad is not None
        return F.avg_pool2d(picture.grad, 8).flatten()

    def likeness(name: str, scale: float) -> float:
        pairs = ((gradient(name, photo, scale), gradient("squeezenet", photo, 1.5)) for photo in photos)
        return float(np.mean([float(F.cosine_similarity(*pair, dim=0)) for pair in pairs]))

    assert likeness("pocket", 1.0) > likeness("squeezenet", 1.0) + 0.1  # 0.63 and 0.48
