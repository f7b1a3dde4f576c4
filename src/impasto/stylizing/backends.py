"""What runs the transformer network: one small interface, chosen by what is installed, checked before it is used."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from impasto.config import BackendName, Device, Precision
from impasto.errors import ImpastoError
from impasto.files.style_file import Style
from impasto.stylizing import graph
from impasto.stylizing.samples import Floats, planes_of

PROBE_TOLERANCE = 1.0 / 255
"""Largest difference to the style file's own answer that a float32 backend may show, of the pixel range [0, 1]."""
BF16_PSNR = 35.0
"""Decibels that the answer in bfloat16, which rounds all along the way, must have to it."""
ROUNDED_PSNR = 20.0
"""Down to which rounding alone, which some styles enlarge, explains it."""

ACCELERATOR_BATCH = 8
"""Photos of one size that an accelerator is given together, where several are at hand."""

Photos = NDArray[Any]
"""uint8 (B, H, W, 3), or float32 (B, 3, H, W) in [0, 1]."""


class Backend(Protocol):
    """A transformer network that is ready to run."""

    name: str
    precision: Precision

    def __call__(self, photos: Photos, mix: Floats) -> Photos:
        """Stylized images of `photos` likewise; `mix` (styles,) weighs the styles."""
        ...

    def working_memory(self, height: int, width: int) -> int:
        """Bytes that one image of this size takes at its peak."""
        ...


@dataclass(frozen=True)
class Choice:
    """One way to run a network."""

    backend: BackendName
    precision: Precision
    device: Device
    why: str
    """What speaks for it, or what it lacks here."""
    available: bool = True

    @property
    def title(self) -> str:
        return f"{self.backend}, {self.precision}, {self.device}"


class BackendWarning(UserWarning):
    """A backend was passed over since its answer was off."""


def make_backend(
    style: Style, device: Device = "auto", backend: BackendName = "auto", precision: Precision = "auto"
) -> Backend:
    """The backend for `style` on this machine, checked against the style file's probe.

    One whose answer is off is dropped for the next in line, with a :class:`BackendWarning` unless bfloat16 is merely
    too coarse for this style.

    Raises:
        ImpastoError: the weights do not fit the network, all backends compute something else than the file says,
            or the one asked for is not here.
    """
    require_fit(style)
    wanted = choices(device, backend, precision)
    usable = [choice for choice in wanted if choice.available]
    if not usable:
        raise ImpastoError(f"no backend can run here: {'; '.join(f'{one.title}: {one.why}' for one in wanted)}")
    off: list[str] = []
    too_coarse: list[str] = []
    for choice in usable:
        try:
            made = build(style, choice)
            check(made, style, choice.precision)
        except ProbeError:
            raise
        except RoundedError as error:
            too_coarse.append(str(error))
            continue
        except OffError as error:
            off.append(f"{error}; the file's weights were changed, or this machine computes wrongly")
            continue
        except Exception as error:  # whatever a broken installation raises
            off.append(f"the {choice.backend} backend cannot be used ({_first_line(error)})")
            continue
        for passed_over in off:
            warnings.warn(
                f"{passed_over.partition(';')[0]}; taking {choice.title} instead", BackendWarning, stacklevel=2
            )
        return made if choice.device == "cpu" else _batching(made)
    raise ImpastoError([*off, *too_coarse][0])


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def choices(device: Device = "auto", backend: BackendName = "auto", precision: Precision = "auto") -> list[Choice]:
    """The ways to run a network that fit what is asked for, the best first, with those that this machine lacks.

    Raises:
        ImpastoError: a combination that does not exist.
    """
    if backend != "auto" and backend not in BUILDERS:
        raise ImpastoError(f"--backend is {backend!r}; it must be one of auto, {', '.join(BUILDERS)}")
    if device in ("cuda", "mps") and backend not in ("auto", "torch"):
        raise ImpastoError(f"the {backend} backend runs on the CPU; --device {device} needs --backend torch")
    kinds = {"torch": _torch_choices, "openvino": _openvino_choices, "onnxruntime": _onnx_choices}
    every = [choice for name, ways in kinds.items() if backend in ("auto", name) for choice in ways(device)]
    # An accelerator comes first, and without one torch last.
    every.sort(key=lambda choice: (choice.device == "cpu") * (1 + (choice.backend == "torch")))
    found = [choice for choice in every if precision in ("auto", choice.precision)]
    if not found:
        raise ImpastoError(f"the {backend} backend does not compute in {precision}; take --precision float32")
    return found


def _openvino_choices(device: Device) -> list[Choice]:
    if device in ("cuda", "mps"):
        return []
    if missing := _missing("openvino"):
        return [Choice("openvino", "float32", "cpu", missing, available=False)]
    try:
        from impasto.stylizing.openvino_backend import has_bf16

        bf16 = has_bf16()
    except Exception as error:  # whatever a broken installation raises
        return [Choice("openvino", "float32", "cpu", f"cannot be used ({_first_line(error)})", available=False)]
    plain = Choice("openvino", "float32", "cpu", "the fastest in float32 on a CPU")
    if not bf16:
        return [plain]
    return [replace(plain, precision="bf16", why="this CPU multiplies bfloat16 in hardware"), plain]


def _onnx_choices(device: Device) -> list[Choice]:
    if device in ("cuda", "mps"):
        return []
    missing = _missing("onnxruntime", "onnx")
    why = missing or "where OpenVINO is not to be had"
    return [Choice("onnxruntime", "float32", "cpu", why, available=not missing)]


def _torch_choices(device: Device) -> list[Choice]:
    """Asks torch only where there is a sign of an accelerator, since importing it takes longer than repainting."""
    if missing := _missing("torch"):
        return [Choice("torch", "float32", device if device != "auto" else "cpu", missing, available=False)]
    if device == "cpu" or (device == "auto" and not _sign_of_accelerator()):
        return [Choice("torch", "float32", "cpu", "the network as it is trained")]
    from impasto.core.device import choose_device, has_bf16

    chosen = choose_device(device)
    why = "the network as it is trained" if chosen == "cpu" else "the accelerator of this machine"
    exact = Choice("torch", "float32", chosen, why)
    return [replace(exact, precision="bf16"), exact] if chosen == "cuda" and has_bf16() else [exact]


def _sign_of_accelerator() -> bool:
    """Whether there may be a GPU that torch can use."""
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    return any(map(Path.exists, map(Path, ("/dev/nvidiactl", "/dev/dxg")))) or shutil.which("nvidia-smi") is not None


def _missing(*packages: str) -> str:
    """What to do about those of the packages that are not installed; empty if all are."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    extra = {"openvino": "openvino", "torch": "'impasto[train]'"}.get(packages[0], "'impasto[onnx]'")
    return f"{' and '.join(missing)} not installed: pip install {extra}" if missing else ""


def _build_openvino(style: Style, choice: Choice) -> Backend:
    from impasto.stylizing.openvino_backend import OpenVinoBackend

    return OpenVinoBackend(style, choice.precision)


def _build_onnx(style: Style, choice: Choice) -> Backend:
    from impasto.stylizing.onnx_backend import OnnxBackend

    return OnnxBackend(style)


def _build_torch(style: Style, choice: Choice) -> Backend:
    from impasto.stylizing.torch_backend import TorchBackend

    return TorchBackend(style, choice.device, choice.precision)


BUILDERS: dict[str, Callable[[Style, Choice], Backend]] = {
    "openvino": _build_openvino,
    "onnxruntime": _build_onnx,
    "torch": _build_torch,
}


def _batching(backend: Backend) -> Backend:
    from impasto.stylizing.batching import Batching

    return Batching(backend, ACCELERATOR_BATCH)


def build(style: Style, choice: Choice) -> Backend:
    """The backend, not checked yet."""
    return BUILDERS[choice.backend](style, choice)


def require_fit(style: Style) -> None:
    """Raises ImpastoError where the style's weights do not fit its network."""
    expected = graph.parameter_shapes(style.network)
    for name, shape in expected.items():
        if name not in style.tensors:
            raise ImpastoError(f"the style file's weights do not fit its network: {name} is missing")
        if style.tensors[name].shape != shape:
            found = style.tensors[name].shape
            raise ImpastoError(
                f"the style file's weights do not fit its network: {name} has shape {found}, not {shape}"
            )
    for name in style.tensors:
        if name not in expected:
            raise ImpastoError(f"the style file's weights do not fit its network: it has no {name}")


class OffError(ImpastoError):
    """A backend gives another answer than the style file."""


class RoundedError(OffError):
    """bfloat16 is too coarse for this style."""


class ProbeError(ImpastoError):
    """The style file's own answer makes no sense."""


def check(backend: Backend, style: Style, precision: Precision = "float32") -> float:
    """Compares the backend with the float32 answer in the style file; returns the PSNR in decibels.

    Raises:
        OffError: it is off.
    """
    photo = planes_of(style.probe_photo)
    mix = np.eye(style.network.styles, dtype=np.float32)[0]
    answer = backend(photo, mix)
    if answer.shape != style.probe_stylized.shape:
        raise ProbeError("the style file's probe has another size than its answer; copy or train the style again")
    difference = np.abs(answer - style.probe_stylized).astype(np.float64)
    worst, mean_square = float(difference.max()), float((difference**2).mean())
    psnr = float("inf") if mean_square == 0 else -10 * float(np.log10(mean_square))
    if precision == "bf16" and ROUNDED_PSNR <= psnr < BF16_PSNR:
        raise RoundedError(
            f"in bfloat16 the {backend.name} backend is off by {255 * worst:.1f} of 255 from the answer in the style "
            "file: this style is too delicate for it; take --precision float32"
        )
    if not (psnr >= BF16_PSNR if precision == "bf16" else worst <= PROBE_TOLERANCE):
        raise OffError(
            f"the {backend.name} backend is off by {255 * worst:.1f} of 255 from the answer in the style file"
        )
    return psnr
