"""Where the loss networks' weights come from: files already on this computer, or verified downloads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files import assets, caches
from impasto.files.download import Report, Source, difference, fetch

_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
_TORCH = "https://download.pytorch.org/models"
_VGG_TERMS = "CC BY 4.0 (VGG, Oxford)"
_TORCHVISION_TERMS = "BSD-3-Clause (torchvision)"


@dataclass(frozen=True)
class WeightFile:
    """A published file with the weights of a loss network."""

    network: str
    """The loss network's name: vgg16, vgg19 or squeezenet."""
    source: Source
    """Where it is, and how it is checked."""
    normalization: str
    """What its weights expect of a pixel: a key of :data:`impasto.core.loss_network.NORMALIZATIONS`."""
    terms: str
    """Its licence in a few words."""

    @property
    def name(self) -> str:
        return self.source.name


@dataclass(frozen=True)
class FoundWeights:
    """A weight file that is on this computer."""

    entry: WeightFile
    path: Path

    @property
    def has_right_size(self) -> bool:
        """Whether its size is the published one, as far as that is known."""
        return self.entry.source.size in (None, self.path.stat().st_size)

    def difference(self, progress: Report | None = None) -> str:
        """What tells the file from the published one, in words; empty where nothing does."""
        return difference(self.path, self.entry.source, progress)


WEIGHT_FILES: tuple[WeightFile, ...] = (
    # Of each network: the one to download first, then what others may have left here, the original
    # weights before torchvision's own, since the recipes' numbers are about the original ones.
    WeightFile(
        "vgg16",
        Source(
            (f"{_KERAS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",),
            size=58_889_256,
            md5="6d6bbae143d832006294945121d1f1fc",
        ),
        "caffe",
        _VGG_TERMS,
    ),
    WeightFile(
        "vgg16",
        Source((f"{_TORCH}/vgg16_features-amdegroot-88682ab5.pth",), about=553_400_000, sha256="88682ab5"),
        "caffe-rounded",
        _VGG_TERMS,
    ),
    WeightFile(
        "vgg16",
        Source(
            (f"{_TORCH}/vgg16-397923af.pth",),
            size=553_433_881,
            sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        ),
        "torchvision",
        _TORCHVISION_TERMS,
    ),
    WeightFile(
        "vgg19",
        Source(
            (f"{_KERAS}/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",),
            size=80_134_624,
            md5="253f8cb515780f3b799900260a226db6",
        ),
        "caffe",
        _VGG_TERMS,
    ),
    WeightFile(
        "vgg19",
        Source(
            (f"{_TORCH}/vgg19-dcbb9e9d.pth",),
            size=574_673_361,
            sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        ),
        "torchvision",
        _TORCHVISION_TERMS,
    ),
    WeightFile(
        "squeezenet",
        Source((f"{_TORCH}/squeezenet1_0-b66bff10.pth",), about=5_000_000, sha256="b66bff10"),
        "torchvision",
        _TORCHVISION_TERMS,
    ),
)


PACKAGED = ("pocket",)
"""Loss networks whose weights come with the package."""


def weights_folder() -> Path:
    """Where downloaded weights go: ``$IMPASTO_CACHE/weights``, or the user's cache folder."""
    return caches.location("weights")


def search_folders() -> tuple[Path, ...]:
    """Where weight files are looked for: our cache, torch's hub cache, Keras's models."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    torch_home = os.environ.get("TORCH_HOME") or str(Path(cache) / "torch")
    keras_home = os.environ.get("KERAS_HOME") or "~/.keras"
    return (
        weights_folder(),
        Path(torch_home).expanduser() / "hub" / "checkpoints",
        Path(keras_home).expanduser() / "models",
    )


def entries(network: str, files: Sequence[WeightFile] = WEIGHT_FILES) -> tuple[WeightFile, ...]:
    """The files of a loss network, the one to download first.

    Raises:
        ImpastoError: there is no such loss network.
    """
    found = tuple(entry for entry in files if entry.network == network)
    if not found:
        known = ", ".join(dict.fromkeys(entry.network for entry in files))
        raise ImpastoError(f"there are no weights for a loss network {network!r}; there are for {known}")
    return found


def find(network: str, files: Sequence[WeightFile] = WEIGHT_FILES) -> FoundWeights | None:
    """The best weight file of `network` on this computer, or None; nothing is downloaded.

    A file of the wrong size, which an interrupted download of another program leaves, does not count.

    Raises:
        ImpastoError: there is no such loss network.
    """
    found = (copy for entry in entries(network, files) for copy in copies(entry))
    return next((copy for copy in found if copy.has_right_size), None)


def copies(entry: WeightFile) -> Iterator[FoundWeights]:
    """All files on this computer that are called as `entry` is, whole or not."""
    for folder in search_folders():
        path = folder / entry.name
        if path.is_file():
            yield FoundWeights(entry, path)


def locate(network: str, progress: Report | None = None, announce: Callable[[str], None] | None = None) -> Path:
    """The file with the weights of `network`: that in the package where there is one, else as :func:`obtain`."""
    return packaged(network) or obtain(network, progress, announce).path


def packaged(network: str) -> Path | None:
    """The file with the weights of `network` that comes with the package."""
    return assets.folder("loss") / f"{network}.safetensors" if network in PACKAGED else None


def obtain(
    network: str,
    progress: Report | None = None,
    announce: Callable[[str], None] | None = None,
    files: Sequence[WeightFile] = WEIGHT_FILES,
) -> FoundWeights:
    """The best weight file of `network` on this computer, or else the usual one, downloaded.

    Args:
        progress: gets the state of the download.
        announce: gets a sentence for the user before a download, and one where the file found here is
            not the one that the recipes' numbers are about.

    Raises:
        ImpastoError: there is no such loss network, or the download failed.
    """
    found = find(network, files)
    if found is None:
        return download(network, progress, announce, files)
    usual = entries(network, files)[0]
    if announce and found.entry.normalization == "torchvision" != usual.normalization:
        announce(
            f"using torchvision's weights {found.path}, which are not the original ones; "
            f"`impasto weights download {network}` gets those ({usual.source.size_text})"
        )
    return found


def download(
    network: str,
    progress: Report | None = None,
    announce: Callable[[str], None] | None = None,
    files: Sequence[WeightFile] = WEIGHT_FILES,
) -> FoundWeights:
    """The usual weight file of `network`, downloaded into our own cache unless a right copy is on this computer.

    ``IMPASTO_WEIGHTS_URL`` names a mirror: it replaces what stands before the file name.

    Raises:
        ImpastoError: there is no such loss network, or the download failed.
    """
    entry = entries(network, files)[0]
    for copy in copies(entry):
        if not copy.difference(progress):
            return copy
    source = entry.source.moved_to(os.environ.get("IMPASTO_WEIGHTS_URL", ""))
    target = weights_folder() / entry.name
    if announce:
        announce(f"downloading the weights of {network}, {source.size_text}, from {source.urls[0]} to {target}")
    return FoundWeights(entry, fetch(source, target, progress))
