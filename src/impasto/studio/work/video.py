"""A clip repainted into an MP4 that every browser plays."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from impasto import workflows
from impasto.studio.desk import Desk
from impasto.studio.naming import file_name
from impasto.studio.work.painting import manner_of, stylizer_of
from impasto.workflows.videos import VideoWarning


def run(desk: Desk) -> None:
    """Repaints the clip, from where an earlier process stopped."""
    (clip,) = desk.given("clip")
    out = desk.results / f"{Path(file_name(desk.original(clip), 'video')).stem}.mp4"
    resume = workflows.is_unfinished(out)
    if out.exists() and not resume:
        return  # an earlier process was killed between its last frame and saying so
    desk.tell(now=True, what="loading the style")
    options = workflows.VideoOptions(
        manner=manner_of(desk), codec="h264", size=_even_size(clip), resume=resume, overwrite=not resume
    )
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = _noting(desk)
        _paint(desk, clip, out, options)


def _paint(desk: Desk, clip: Path, out: Path, options: workflows.VideoOptions) -> None:
    before = desk.before
    for progress in workflows.stylize_video(stylizer_of(desk), clip, out, options):
        desk.obey()
        desk.tell(
            done=progress.done,
            elapsed=before + progress.elapsed,
            remaining=progress.remaining,
            what=progress.what,
        )
    desk.tell(what="repainted")


def _even_size(clip: Path) -> int | None:
    """The longer side of a clip with an odd one: H.264 that every browser plays has even sides. None for others."""
    from impasto.files.video import open_video

    with open_video(clip) as video:
        height, width = video.format.height, video.format.width
    return max(height, width) if height % 2 or width % 2 else None


def _noting(desk: Desk) -> Any:
    """In the place of warnings.showwarning."""

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        if issubclass(category, VideoWarning):
            desk.note(str(message))
        else:
            print(f"{category.__name__}: {message}", flush=True)

    return show
