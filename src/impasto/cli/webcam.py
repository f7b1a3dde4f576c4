"""`impasto webcam`."""

from __future__ import annotations

from pathlib import Path

from impasto import workflows
from impasto.cli.progress import console
from impasto.cli.styling import chosen_style
from impasto.config import BackendName, Device, Precision


def webcam(
    *,
    style: str | None = None,
    camera: str = "0",
    strength: float = 1.0,
    mix: str | None = None,
    rate: float = 20.0,
    folder: Path = Path(),
    virtual_camera: bool = False,
    which: str | None = None,
    backend: BackendName = "auto",
    precision: Precision = "auto",
    device: Device = "auto",
) -> None:
    """Repaint what a camera sees, live in a window.

    Keys: n and p for the next and previous style, + and - for its strength, r to record, s for a screenshot, q to quit.

    Parameters
    ----------
    style
        A bundled style's name (`impasto styles` lists them) or a style file (default: great_wave-turbo, the fastest).
    camera
        The camera's number, or a video file in its place.
    strength
        How much of the style: from 0, the photo, to 1.
    mix
        Several styles instead of one, each with its weight: great_wave-turbo=0.6,udnie-turbo=0.4.
    rate
        Pictures a second: where the machine is slower, the network works on smaller pictures.
    folder
        Where recordings and screenshots go (default: here).
    virtual_camera
        Let other programs see it as a camera: with pyvirtualcam, and v4l2loopback on Linux or OBS elsewhere.
    which
        Which style of a file with several, by name or number (default: 0, the first).
    backend
        What computes: openvino, onnxruntime or torch (default: the fastest that is right; see `impasto doctor`).
    precision
        float32, or bf16 where the CPU has it (default: bf16 there, which is two to three times faster).
    device
        auto, cpu, cuda or mps.
    """
    if style is None and mix is None:
        style = workflows.DEFAULT_VIDEO_STYLE
    stylizer, styles = chosen_style(style, which, mix, None, workflows.Engine(backend, device, precision))
    first = stylizer.own if styles.inside is None else styles.inside
    options = workflows.WebcamOptions(camera, first, strength, rate, folder, virtual_camera)
    workflows.show_webcam(stylizer, options, lambda text: console.print(text))
