"""Many photos on many machines, by Ray Data: each worker holds the network once and repaints what it is handed.

What a worker does with a photo is what `stylize_image` does on one machine. A worker that dies is started again, and
the photos that it had are handed out anew; a result is written whole, so doing it twice does no harm.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from impasto.errors import ImpastoError
from impasto.files import images, remote
from impasto.files.style_file import Style
from impasto.stylizing.backends import make_backend
from impasto.stylizing.manner import WhichStyle
from impasto.stylizing.stylizer import Stylizer
from impasto.workflows.bundled import Engine
from impasto.workflows.repainting import Progress, StylizeOptions, check_target, stylize_image, targets_in

PHOTOS_AT_A_TIME = 8
"""That a worker is handed: few enough that little is done again when it dies."""


@dataclass(frozen=True)
class Cluster:
    """How much of a cluster to use."""

    address: str | None = None
    """Of a running cluster, or `auto`; None starts Ray on this machine."""
    workers: int = 0
    """How many; 0 is one for every `cpus` of the cluster, or one a GPU."""
    cpus: int = 2
    """Of each worker."""


class Worker:
    """One actor: a network, loaded once."""

    def __init__(self, style: Style, own: WhichStyle, engine: Engine, options: StylizeOptions, cpus: int) -> None:
        if engine.backend in ("auto", "openvino"):
            from impasto.stylizing.openvino_backend import use_threads

            use_threads(cpus)
        backend = make_backend(style, engine.device, engine.backend, engine.precision)
        self.stylizer = Stylizer(style, backend, own, max_memory=engine.max_memory)
        # A batch whose worker has died is handed out anew; what was there before, stylize_on_cluster has refused.
        self.options = replace(options, overwrite=True)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        photos, targets = map(str, batch["photo"]), map(str, batch["target"])
        jobs = list(zip(photos, targets, strict=True))
        errors = [self._error(*job) for job in jobs]
        return {"photo": [job[0] for job in jobs], "target": [job[1] for job in jobs], "error": errors}

    def _error(self, photo: str, target: str) -> str:
        """What went wrong with a photo, in one line; empty for nothing."""
        try:
            if not remote.is_uri(photo) and not remote.is_uri(target):
                stylize_image(self.stylizer, photo, target, self.options)
                return ""
            with tempfile.TemporaryDirectory(prefix="impasto-") as folder:
                here = Path(folder) / f"photo{PurePosixPath(photo).suffix}"
                here.write_bytes(_read(photo))
                there = Path(folder) / f"painted{PurePosixPath(target).suffix}"
                stylize_image(self.stylizer, here, there, self.options)
                _write(target, there.read_bytes())
        except (ImpastoError, OSError) as error:
            return str(error) if photo in str(error) else f"{photo}: {error}"
        return ""


def _read(photo: str) -> bytes:
    return remote.read(photo) if remote.is_uri(photo) else Path(photo).read_bytes()


def _write(target: str, data: bytes) -> None:
    if remote.is_uri(target):
        remote.write(target, data)
    else:
        from impasto.files import atomic

        atomic.write_bytes(target, data)


def jobs_of(photos: Sequence[str], out: str) -> list[tuple[str, str]]:
    """Every photo that is named or below the folders that are, with its target below `out`; paths or URIs each.

    Raises:
        ImpastoError: nothing there, or two photos would become one file.
    """
    jobs: dict[str, str] = {}
    for given in photos:
        if remote.is_uri(given):
            root = given.removesuffix("/")
            below_root = [photo.removeprefix(root).lstrip("/") for photo in remote.find(given)]
            found = [(f"{root}/{below}" if below else root, below or PurePosixPath(root).name) for below in below_root]
        else:
            paths = images.find([given])
            inside = targets_in(Path(), paths, [Path(given)])
            found = [(str(path.absolute()), target.as_posix()) for path, target in zip(paths, inside, strict=True)]
        for photo, below in found:
            target = f"{out.removesuffix('/')}/{below}" if remote.is_uri(out) else str(Path(out).absolute() / below)
            if jobs.setdefault(target, photo) != photo:
                raise ImpastoError(f"{photo} and {jobs[target]} would both become {target}; repaint them one by one")
    return [(photo, target) for target, photo in jobs.items()]


def stylize_on_cluster(
    stylizer: Stylizer,
    jobs: Sequence[tuple[str, str]],
    options: StylizeOptions | None = None,
    engine: Engine | None = None,
    cluster: Cluster | None = None,
) -> Iterator[Progress]:
    """Repaints each photo into its target, paths or URIs; yields after each, in any order.

    Raises:
        ImpastoError: Ray is not installed, there is no cluster at that address, or a target on this machine exists and
            must not be replaced.
    """
    options, engine, cluster = options or StylizeOptions(), engine or Engine(), cluster or Cluster()
    if cluster.workers < 0 or cluster.cpus < 1:
        raise ImpastoError(f"--workers is {cluster.workers}; it must be a number from 1 on, or 0 for as many as fit")
    for photo, target in jobs:
        if not remote.is_uri(target):
            check_target(Path(target), Path(photo), options.overwrite)
    ray = _started(cluster)
    on_gpu = engine.device in ("cuda", "mps")
    cpus = min(cluster.cpus, int(ray.cluster_resources().get("CPU", 1)))
    workers = cluster.workers or _workers(ray, cpus, on_gpu)
    items = [{"photo": photo, "target": target} for photo, target in jobs]
    photos = ray.data.from_items(items, override_num_blocks=-(-len(jobs) // PHOTOS_AT_A_TIME))
    painted = photos.map_batches(
        Worker,
        fn_constructor_args=(stylizer.style, stylizer.own, engine, options, cpus),
        batch_size=PHOTOS_AT_A_TIME,
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(jobs))),
        # Half of what they use, so that Ray always finds room for its own tasks, without which all would wait.
        num_cpus=0 if on_gpu else cpus / 2,
        num_gpus=1 if on_gpu else 0,
    )
    begun, done = time.monotonic(), 0
    for batch in _explained(ray, painted.iter_batches(batch_size=None, batch_format="numpy")):
        for photo, target, error in zip(batch["photo"], batch["target"], batch["error"], strict=True):
            done += 1
            problem = ImpastoError(str(error)) if error else None
            yield Progress(done, len(jobs), str(photo), str(target), problem, time.monotonic() - begun)


def _explained(ray: Any, batches: Iterable[Any]) -> Iterator[Any]:
    """The batches; what goes wrong in the cluster itself is one line for the user."""
    try:
        yield from batches
    except ray.exceptions.RayError as error:
        raise ImpastoError(f"the cluster gave up: {str(error).strip().splitlines()[-1]}; --resume goes on") from error


def _started(cluster: Cluster) -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImpastoError("--cluster needs Ray, which is not installed: pip install 'impasto[cluster]'") from error
    if not ray.is_initialized():
        try:
            ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR", include_dashboard=False)
        except (ConnectionError, ValueError) as error:
            raise ImpastoError(f"there is no Ray cluster at {cluster.address}: {error}") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    return ray


def _workers(ray: Any, cpus: int, on_gpu: bool) -> int:
    resources = ray.cluster_resources()
    return max(1, int(resources.get("GPU", 0)) if on_gpu else int(resources.get("CPU", 1)) // cpus)
