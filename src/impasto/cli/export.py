"""`impasto export`."""

from __future__ import annotations

from pathlib import Path

from impasto import workflows
from impasto.cli.progress import console
from impasto.cli.styling import chosen_style
from impasto.errors import ImpastoError


def export(
    style: str | None = None,
    *,
    onnx: Path | None = None,
    openvino: Path | None = None,
    mix: str | None = None,
    strength: float = 1.0,
    which: str | None = None,
    mix_input: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a style as an ONNX or OpenVINO model: pixel values in and out, any size, any batch.

    Parameters
    ----------
    style
        A bundled style's name (`impasto styles` lists them) or a style file.
    onnx
        File for the ONNX model.
    openvino
        Folder for the OpenVINO model, an .xml and a .bin file.
    mix
        Several styles instead of one, each with its weight: great_wave=0.6,starry_night=0.4.
    strength
        How much of the style the model paints: from 0, the photo, to 1.
    which
        Which style of a file with several, by name or number (default: 0, the first).
    mix_input
        Let the model take the weights of all its styles as an input, instead of building one mix in.
    overwrite
        Replace files that exist.
    """
    if mix_input and (mix is not None or which is not None or strength != 1):
        raise ImpastoError("--mix-input leaves the mix and the strength to whoever runs the model; leave yours out")
    stylizer, chosen = chosen_style(style, which, mix, None, workflows.Engine())
    options = workflows.ExportOptions(chosen.inside, strength, mix_input)
    name = Path(style).stem if style is not None else "mix"
    written = workflows.export(stylizer, onnx=onnx, openvino=openvino, name=name, options=options, overwrite=overwrite)
    for path in written:
        console.print(str(path))
    if mix_input:
        console.print(f"weights of the input `mix`, in this order: {', '.join(stylizer.style.names)}")
