"""The demo: sample photos repainted, and a style trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.files import images
from impasto.stylizing.arrange import side_by_side
from impasto.workflows.bundled import load
from impasto.workflows.common import STYLE_SUFFIX, AnyPath, require_training_packages
from impasto.workflows.contact_sheet import SAMPLE_PHOTOS, sample_photos
from impasto.workflows.trainings import train

if TYPE_CHECKING:
    from impasto.training.trainer import TrainProgress

DEMO_PAINTING = "flow_field"
DEMO_STYLES = ("great_wave", "starry_night", "the_scream", "udnie")


def demo(folder: AnyPath, which: Sequence[AnyPath] | None = None) -> Iterator[Path]:
    """Repaints scikit-image's sample photos; yields each picture as it is written.

    A picture shows photo and stylized image side by side. Pictures of an earlier demo are replaced.

    Args:
        which: the styles; default a few of the bundled ones.
    Raises:
        ImpastoError: scikit-image is not installed, or the folder cannot be written.
    """
    photos = dict(zip(SAMPLE_PHOTOS, sample_photos(), strict=True))
    for style in DEMO_STYLES if which is None else which:
        stylizer = load(style)
        for name, pixels in photos.items():
            photo = images.Picture(pixels)
            target = Path(folder) / f"{name}-{Path(style).stem}.jpg"
            images.write(target, side_by_side(photo, photo.with_pixels(stylizer(photo.pixels))), quality=90)
            yield target


def train_demo(
    folder: AnyPath,
    minutes: float,
    *,
    on_progress: Callable[[TrainProgress], None] | None = None,
    announce: Callable[[str], None] | None = None,
) -> Path:
    """Trains one of our own paintings with the recipe `quick` into a style file in `folder`, and returns its path.

    Raises:
        ImpastoError, TrainingStopped: as :func:`train`.
    """
    require_training_packages()
    from impasto.training.run_folder import new_run_dir

    return train(
        DEMO_PAINTING,
        out=Path(folder) / f"{DEMO_PAINTING}{STYLE_SUFFIX}",
        recipe="quick",
        run_dir=new_run_dir(DEMO_PAINTING, Path(folder) / "runs"),
        overwrite=True,
        on_progress=on_progress,
        announce=announce,
        max_minutes=minutes,
    )
