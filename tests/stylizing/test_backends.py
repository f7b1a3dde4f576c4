"""Every backend against the network itself in PyTorch, and the check against the style file's own answer."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import KINDS, network_of, style_of
from numpy.typing import NDArray

from impasto.config import BackendName
from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files import caches, gallery
from impasto.files.lock import alone
from impasto.files.style_file import Style
from impasto.stylizing import backends
from impasto.stylizing.backends import BackendWarning, Choice, build, check, choices, make_backend

NAMES = ("openvino", "onnxruntime", "torch")
MIX = np.array([0.5, 0.3, 0.2], np.float32)


def changed(style: Style, name: str, change: float) -> Style:
    return replace(style, tensors={**style.tensors, name: style.tensors[name] + np.float32(change)})


def answer(network: TransformerNet, photos: NDArray[np.float32], mix: NDArray[np.float32]) -> NDArray[np.float32]:
    return network(torch.from_numpy(photos), torch.from_numpy(mix)).numpy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", NAMES)
def test_a_backend_is_the_network(kind: str, backend: str) -> None:
    network, made = network_of(kind), make_backend(style_of(kind), "cpu", backend, "float32")
    assert (made.name, made.precision) == (backend, "float32")
    for size in ((2, 9), (17, 30), (40, 41), (40, 41), (64, 24)):  # one of them twice: the second time by itself
        photos = np.random.default_rng(1).random((2, 3, *size), np.float32)
        ours = made(photos, MIX)
        assert ours.dtype == np.float32
        # Over a handful of cells the statistics are nearly noise, which makes rounding larger.
        np.testing.assert_allclose(ours, answer(network, photos, MIX), atol=1e-5 if min(size) > 8 else 1e-4)


@pytest.mark.parametrize("backend", NAMES)
def test_pixels_are_the_planes_rounded(backend: str) -> None:
    network, made = network_of("turbo"), make_backend(style_of("turbo"), "cpu", backend, "float32")
    pixels = np.random.default_rng(2).integers(0, 256, (2, 23, 18, 3), np.uint8)
    theirs = 255 * answer(network, np.float32(pixels.transpose(0, 3, 1, 2) / 255), MIX).transpose(0, 2, 3, 1)
    ours = made(pixels, MIX)
    assert ours.dtype == np.uint8
    assert ours.shape == pixels.shape
    assert np.abs(ours - theirs).max() <= 0.51
    np.testing.assert_array_equal(made(pixels[:, ::-1], MIX)[:1], made(pixels[:1, ::-1].copy(), MIX))


@pytest.mark.parametrize("backend", ["openvino", "torch"])
@pytest.mark.parametrize("base", ["classic", "turbo"])
def test_bfloat16_stays_near_float32_on_real_styles(base: str, backend: BackendName) -> None:
    if backend == "openvino" and "bf16" not in [choice.precision for choice in choices("cpu", "openvino")]:
        pytest.skip("this CPU has no bfloat16")
    from skimage.data import astronaut

    style = gallery.load(gallery.path_of(base))
    photo = astronaut()[None, ::2, ::2]
    for row in (0, 4):
        mix = np.eye(len(style.names), dtype=np.float32)[row]
        # torch has it on a GPU alone, but can do it here
        ways = (Choice(backend, precision, "cpu", "") for precision in ("bf16", "float32"))
        half, full = (build(style, way)(photo, mix).astype(float) for way in ways)
        assert 10 * np.log10(255**2 / np.mean((half - full) ** 2)) > 40


@pytest.mark.parametrize("backend", NAMES)
def test_the_memory_needed_grows_with_the_pixels(style: Style, backend: str) -> None:
    made = make_backend(style, "cpu", backend)
    small, large, larger = (made.working_memory(height, 200) for height in (100, 200, 300))
    assert small < large
    assert larger - large == large - small


@pytest.mark.parametrize("backend", NAMES)
def test_a_backend_keeps_weights_of_its_own(style: Style, backend: str) -> None:
    made = make_backend(style, "cpu", backend, "float32")
    photo, other = (np.random.default_rng(1).random((1, 3, side, 16), np.float32) for side in (16, 20))
    mix = np.array([1, 0, 0], np.float32)
    before = made(photo, mix), make_backend(style, "cpu", backend, "float32")(other, mix)
    kept = {name: value.copy() for name, value in style.tensors.items()}
    try:
        for value in style.tensors.values():
            value[...] = 0
        np.testing.assert_allclose(made(photo, mix), before[0], atol=1e-5)
        np.testing.assert_allclose(made(other, mix), before[1], atol=1e-5)
    finally:
        for name, value in kept.items():
            style.tensors[name][...] = value


@pytest.mark.parametrize("backend", NAMES)
def test_a_style_of_changed_weights_is_refused(style: Style, backend: str) -> None:
    # A changed bias before an instance norm is no change: the norm takes it out again. All else shows.
    for name in style.tensors:
        if "conv.bias" not in name:
            with pytest.raises(ImpastoError, match=rf"{backend} backend is off by [\d.]+ of 255"):
                make_backend(changed(style, name, 0.5), "cpu", backend)


def test_a_damaged_style_is_refused_once_and_without_a_warning(style: Style) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImpastoError, match="weights were changed"):
            make_backend(changed(style, "head.bias", 0.5), "cpu")


class Wrong:
    """A backend that gives a grey picture."""

    name = "wrong"
    precision = "float32"

    def __call__(self, photos: NDArray[np.float32], mix: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full_like(photos, 0.5)

    def working_memory(self, height: int, width: int) -> int:
        return 0


def test_a_backend_that_is_off_is_passed_over_with_a_warning(style: Style, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends.BUILDERS, "openvino", lambda style, choice: Wrong())
    with pytest.warns(BackendWarning, match=r"wrong backend is off by .* taking onnxruntime, float32, cpu instead"):
        made = make_backend(style, "cpu")
    assert made.name == "onnxruntime"
    with pytest.raises(ImpastoError, match="wrong backend is off"):
        make_backend(style, "cpu", "openvino")


def test_a_backend_within_the_rounding_of_a_pixel_passes_and_beyond_it_does_not(style: Style) -> None:
    backend = make_backend(style, "cpu", "torch")
    assert check(backend, style) > 60
    nearly = check(backend, replace(style, probe_stylized=style.probe_stylized + np.float32(0.9 / 255)))
    assert nearly == pytest.approx(20 * np.log10(255 / 0.9), abs=0.1)
    with pytest.raises(ImpastoError, match=r"off by 1\.[01] of 255"):
        check(backend, replace(style, probe_stylized=style.probe_stylized + np.float32(1.1 / 255)))
    with pytest.raises(ImpastoError, match="off by nan"):
        check(backend, replace(style, probe_stylized=style.probe_stylized * np.float32("nan")))


def test_bfloat16_may_be_off_by_35_decibels_in_the_mean(style: Style) -> None:
    backend = make_backend(style, "cpu", "torch")
    for psnr, fine in ((36, True), (34, False)):
        off = replace(style, probe_stylized=style.probe_stylized + np.float32(10 ** (-psnr / 20)))
        if fine:
            assert check(backend, off, "bf16") == pytest.approx(psnr, abs=0.1)
        else:
            with pytest.raises(ImpastoError, match="off by"):
                check(backend, off, "bf16")


class Coarse:
    """A backend whose answer is so many decibels from the style file's."""

    name = "coarse"
    precision = "bf16"

    def __init__(self, style: Style, psnr: float) -> None:
        self.answer = style.probe_stylized + np.float32(10 ** (-psnr / 20))

    def __call__(self, photos: NDArray[np.float32], mix: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.answer

    def working_memory(self, height: int, width: int) -> int:
        return 0


def test_a_style_too_delicate_for_bfloat16_is_painted_in_float32_without_a_word(
    style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = [Choice("openvino", precision, "cpu", "") for precision in ("bf16", "float32")]
    monkeypatch.setattr(backends, "choices", lambda *_: ways)
    usual = backends.BUILDERS["openvino"]
    psnr = 30.0
    monkeypatch.setitem(
        backends.BUILDERS,
        "openvino",
        lambda style, choice: Coarse(style, psnr) if choice.precision == "bf16" else usual(style, choice),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make_backend(style, "cpu").precision == "float32"
    ways.pop()
    with pytest.raises(ImpastoError, match=r"coarse backend is off by 8\.1 of 255 .*--precision float32"):
        make_backend(style, "cpu", "openvino", "bf16")
    psnr = 15.0
    with pytest.raises(ImpastoError, match="computes wrongly"):
        make_backend(style, "cpu", "openvino", "bf16")


def test_an_answer_of_another_size_is_refused(style: Style) -> None:
    with pytest.raises(ImpastoError, match="another size"):
        make_backend(replace(style, probe_stylized=style.probe_stylized.transpose(0, 1, 3, 2)), "cpu")
    with pytest.raises(ImpastoError, match="another size"):
        make_backend(replace(style, probe_photo=style.probe_photo[:, :-1]), "cpu")


def test_weights_that_do_not_fit_are_named(style: Style) -> None:
    lacking = {name: value for name, value in style.tensors.items() if name != "head.bias"}
    misshapen = {**style.tensors, "head.bias": np.zeros(4, np.float32)}
    too_many = {**style.tensors, "tail.bias": np.zeros(4, np.float32)}
    for tensors, text in (
        (lacking, "head.bias is missing"),
        (misshapen, r"head.bias has shape \(4,\), not \(3,\)"),
        (too_many, "it has no tail.bias"),
    ):
        with pytest.raises(ImpastoError, match=f"do not fit its network: {text}"):
            make_backend(replace(style, tensors=tensors), "cpu")


# --- Choices ---


def test_the_choices_are_ordered_and_explained() -> None:
    found = choices("cpu")
    assert [choice.backend for choice in found if choice.precision == "float32"] == list(NAMES)
    assert all(choice.why and choice.device == "cpu" for choice in found)
    assert {choice.backend for choice in choices("cpu", "torch")} == {"torch"}
    assert {choice.precision for choice in choices("cpu", precision="float32")} == {"float32"}


def test_a_package_that_is_not_here_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = backends.importlib.util.find_spec
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda n: None if n == "onnxruntime" else found(n))
    (missing,) = choices("cpu", "onnxruntime")
    assert not missing.available
    assert missing.why == "onnxruntime not installed: pip install 'impasto[onnx]'"
    with pytest.raises(ImpastoError, match=r"onnxruntime not installed: pip install"):
        make_backend(style_of("classic"), "cpu", "onnxruntime")
    assert "onnxruntime" in [choice.backend for choice in choices("cpu")]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("quantum",), "quantum"),
        (("cuda",), "--device cuda: this machine has none"),
        (("cpu", "tensorrt"), "--backend is 'tensorrt'; it must be one of auto, openvino"),
        (("cuda", "openvino"), "runs on the CPU; --device cuda needs --backend torch"),
        (("cpu", "torch", "bf16"), "torch backend does not compute in bf16"),
    ],
)
def test_what_does_not_exist_is_refused(arguments: tuple[str, ...], text: str) -> None:
    if arguments[0] == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ImpastoError, match=text):
        make_backend(style_of("classic"), *arguments)


# --- Compiled models ---


def test_a_second_start_finds_the_compiled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from impasto.stylizing import openvino_backend

    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    photo, mix = np.zeros((1, 16, 16, 3), np.uint8), MIX
    style, choice = style_of("turbo"), Choice("openvino", "float32", "cpu", "")
    openvino_backend.core.cache_clear()
    try:
        build(style, choice)(photo, mix)
        first = {file: file.stat().st_mtime_ns for file in (tmp_path / "openvino").iterdir()}
        assert len(first) == 1
        openvino_backend.core.cache_clear()
        build(style, choice)(photo, mix)
        assert {file: file.stat().st_mtime_ns for file in (tmp_path / "openvino").iterdir()} == first
        build(style, choice)(photo, mix[::-1].copy())
        assert len(list((tmp_path / "openvino").iterdir())) == 2
    finally:
        openvino_backend.core.cache_clear()


TOGETHER = """
import sys, numpy as np, impasto
from impasto.stylizing.openvino_backend import core
core()
print("ready", flush=True)
sys.stdin.readline()
impasto.load("great_wave-turbo")(np.zeros((32, 32, 3), np.uint8))
"""


def test_processes_that_compile_the_same_at_once_do_not_harm_each_other(tmp_path: Path) -> None:
    # Without the lock about every fifth round failed: a process killed, or an exception of OpenVINO's.
    for number in range(4):
        env = {**os.environ, "IMPASTO_CACHE": str(tmp_path / str(number))}
        line = [sys.executable, "-W", "error", "-c", TOGETHER]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes = [subprocess.Popen(line, env=env, **pipes) for _ in range(3)]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 3
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        ends = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
        assert ends == [("", 0)] * 3


@pytest.mark.parametrize("trouble", ["another process compiles and compiles", "the folder is gone", "it is a file"])
def test_it_paints_without_the_cache_too(trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from impasto.stylizing import openvino_backend

    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(openvino_backend, "PATIENCE", 0.3)
    openvino_backend.core.cache_clear()
    try:
        openvino_backend.core()
        folder = tmp_path / "cache" / "openvino"
        held = nullcontext()
        if trouble.startswith("another"):
            held = alone(folder, lambda: None)
        else:
            folder.rmdir()
            folder.parent.rmdir()
            if trouble == "it is a file":
                folder.parent.write_bytes(b"")
        with held:
            made = build(style_of("turbo"), Choice("openvino", "float32", "cpu", ""))
            photos = np.random.default_rng(3).random((1, 3, 16, 16), np.float32)
            np.testing.assert_allclose(made(photos, MIX), answer(network_of("turbo"), photos, MIX), atol=1e-5)
        assert not list(tmp_path.rglob("*.blob"))
    finally:
        openvino_backend.core.cache_clear()


def test_the_cache_keeps_the_newest(tmp_path: Path) -> None:
    for age in range(5):
        (tmp_path / str(age)).write_bytes(b"x")
        os.utime(tmp_path / str(age), (1000 - age, 1000 - age))
    caches.keep_newest(tmp_path, 2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0", "1"]
    caches.keep_newest(tmp_path, 5)
    assert len(list(tmp_path.iterdir())) == 2


TOLD = """
import sys, time
sys.addaudithook(lambda event, details: event in ("socket.getaddrinfo", "socket.connect") and print(event, details))
import numpy as np, impasto
impasto.load("great_wave-turbo")(np.zeros((32, 32, 3), np.uint8))
time.sleep(1)
"""


def test_nobody_is_told_that_it_runs() -> None:
    # OpenVINO's import would tell Google Analytics.
    done = subprocess.run([sys.executable, "-c", TOLD], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == ""
