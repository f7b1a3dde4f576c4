"""`impasto video`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from impasto import workflows
from impasto.cli.progress import console
from impasto.cli.styling import changing_style
from impasto.cli.work_bar import WorkBar
from impasto.config import BackendName, CodecName, Device, Precision
from impasto.errors import ImpastoError
from impasto.stylizing.manner import Manner


def video(
    source: Path | None = None,
    /,
    *,
    style: str | None = None,
    out: Path | None = None,
    strength: float = 1.0,
    strength_to: float | None = None,
    mix: str | None = None,
    mix_to: str | None = None,
    start: float = 0.0,
    end: float | None = None,
    compare: bool = False,
    keep_colors: bool = False,
    stroke: float = 1.0,
    steady: float = 0.0,
    size: int | None = None,
    codec: CodecName | None = None,
    quality: int = 75,
    no_sound: bool = False,
    which: str | None = None,
    backend: BackendName = "auto",
    precision: Precision = "auto",
    device: Device = "auto",
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Repaint a video, with its sound.

    Times, size, colours and sound stay as they are; a video that is played rotated comes out upright.

    Parameters
    ----------
    source
        A video, or a GIF or WebP animation.
    style
        A bundled style's name (`impasto styles` lists them) or a style file (default: great_wave-turbo, the fastest).
    out
        The result: .mp4, .mov, .mkv, .webm, .ts, .gif or .webp (default: beside the source, the style in its
        name; an .mp4, or what the animation is).
    strength
        How much of the style: from 0, the video, to 1.
    strength_to
        What the strength comes to at the end, evenly from --strength at the beginning.
    mix
        Several styles instead of one, each with its weight: great_wave-turbo=0.6,udnie-turbo=0.4.
    mix_to
        What the style or the mix comes to at the end: udnie-turbo=1.
    start
        Where to begin, in seconds.
    end
        Where to end, in seconds.
    compare
        Put the video and its stylized images side by side.
    keep_colors
        Keep the video's colours: its hue and chroma under the stylized lightness. Takes longer.
    stroke
        Size of the strokes, 0.25 to 4.
    steady
        Seconds, such as 0.5, over which the network's statistics are averaged, so that what enters the picture does not
        change the rest at once. Takes longer, and is reset on a cut (default: 0, not averaged).
    size
        Longer side of the result in pixels; both sides are made even (default: that of the video).
    codec
        h264, hevc, vp9 or av1 (default: h264, and vp9 for .webm).
    quality
        1 to 100, of the pictures.
    no_sound
        Leave out sound, subtitles and chapters.
    which
        Which style of a file with several, by name or number (default: 0, the first).
    backend
        What computes: openvino, onnxruntime or torch (default: the fastest that is right; see `impasto doctor`).
    precision
        float32, or bf16 where the CPU has it (default: bf16 there, which is two to three times faster).
    device
        auto, cpu, cuda or mps.
    resume
        Go on where the same command was stopped.
    overwrite
        Replace a file that exists.
    """
    if source is None:
        raise ImpastoError("which video? Use: impasto video IN.mp4 --style NAME --out OUT.mp4")
    if source.is_dir():
        raise ImpastoError(f"{source} is a folder; name a video")
    if resume and overwrite:
        raise ImpastoError("--resume goes on with what is there, and --overwrite replaces it; name one")
    if style is None and mix is None:
        style = workflows.DEFAULT_VIDEO_STYLE
    target = _beside(source, "mix" if style is None else Path(style).stem) if out is None else out
    if resume and target.exists() and not workflows.is_unfinished(target):
        console.print(f"{target} is done already")
        return
    options = workflows.VideoOptions(
        strength_to=strength_to,
        start=start,
        end=end,
        size=size,
        compare=compare,
        steady=steady,
        codec=codec,
        quality=quality,
        sound=not no_sound,
        overwrite=overwrite,
        resume=resume,
        manner=Manner(strength=strength, colors="photo" if keep_colors else "style", stroke=stroke),
    )
    stylizer, first, last = changing_style(style, which, mix, mix_to, workflows.Engine(backend, device, precision))
    options = replace(options, manner=replace(options.manner, style=first), style_to=last)
    with WorkBar("reading the video") as bar:
        progress = None
        for progress in workflows.stylize_video(stylizer, source, target, options):
            bar(progress)
    if progress is not None:
        console.print(progress.what)
    console.print(str(target))


def _beside(source: Path, label: str) -> Path:
    suffix = source.suffix.lower() if source.suffix.lower() in (".gif", ".webp") else ".mp4"
    return source.with_name(f"{source.stem}-{label}{suffix}")
