"""Many photos on a local Ray with two workers, one of which is killed; files by URI."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from impasto import workflows
from impasto.errors import ImpastoError
from impasto.files import images, remote
from impasto.stylizing.stylizer import Stylizer
from support import photo

ray = pytest.importorskip("ray")

TWO = workflows.Cluster(workers=2, cpus=1)


@pytest.fixture(scope="module", autouse=True)
def _two_cpus() -> Iterator[None]:
    """A Ray of its own, which knows where the tests' modules are."""
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    ray.init(num_cpus=2, log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    yield
    ray.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for number in range(20):
        photo(number).save(tmp_path / "in" / ("deep" if number % 3 else "") / f"photo {number}.png")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no photo")
    return tmp_path


@pytest.fixture(scope="module")
def stylizer() -> Stylizer:
    return workflows.load("udnie-turbo", precision="float32")


ENGINE = workflows.Engine(precision="float32")


def painted(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("[!.]*.*"))


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_cluster_paints_what_one_machine_paints(scheme: str, folder: Path, stylizer: Stylizer) -> None:
    jobs = workflows.jobs_of([f"{scheme}{folder}/in"], f"{scheme}{folder}/out")
    assert len(jobs) == 21
    seen = list(workflows.stylize_on_cluster(stylizer, jobs, engine=ENGINE, cluster=TWO))
    assert [one.finished for one in seen] == list(range(1, 22))
    (failed,) = [one for one in seen if one.error is not None]
    assert "broken.jpg" in str(failed.error)
    assert painted(folder / "out") == [name for name in painted(folder / "in") if name != "broken.jpg"]
    for name in ("photo 0.png", "deep/photo 1.png"):
        expected = stylizer(images.read(folder / "in" / name).pixels)
        ours = images.read(folder / "out" / name).pixels
        assert np.abs(ours.astype(int) - expected).max() <= 1


def workers() -> list[int]:
    """Process numbers of the actors that hold a network."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"ray::MapWorker" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds the workers in /proc")
def test_a_killed_worker_costs_nothing_but_time(folder: Path, stylizer: Stylizer) -> None:
    for number in range(20, 120):
        photo(number, 200, 160).save(folder / "in" / f"photo {number}.png")
    jobs = workflows.jobs_of([str(folder / "in")], str(folder / "out"))
    results = workflows.stylize_on_cluster(stylizer, jobs, engine=ENGINE, cluster=TWO)
    next(results)
    killed = workers()[0]
    os.kill(killed, signal.SIGKILL)
    *rest, last = results
    assert last.finished == last.total == 121
    # What the killed worker had painted already is painted anew, and not told as left out.
    assert ["broken.jpg" in str(one.error) for one in (*rest, last) if one.error is not None] in ([], [True])
    deadline = time.monotonic() + 20
    while killed in workers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert killed not in workers()
    assert painted(folder / "out") == [name for name in painted(folder / "in") if name != "broken.jpg"]
    # Nobody can clean up after a process that is killed in the middle of a write.
    assert len(list((folder / "out").rglob(".*.part*"))) == len(list((folder / "out").rglob(".*"))) <= 1


def test_what_exists_is_not_replaced_unasked(folder: Path, stylizer: Stylizer) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "photo 0.png").write_bytes(b"kept")
    jobs = workflows.jobs_of([str(folder / "in")], str(folder / "out"))
    with pytest.raises(ImpastoError, match=r"will not overwrite .*photo 0\.png"):
        next(workflows.stylize_on_cluster(stylizer, jobs, engine=ENGINE, cluster=TWO))
    assert (folder / "out" / "photo 0.png").read_bytes() == b"kept"


def test_two_photos_for_one_file_are_refused(folder: Path) -> None:
    (folder / "other").mkdir()
    photo(1).save(folder / "other" / "photo 0.png")
    with pytest.raises(ImpastoError, match=r"photo 0\.png would both become"):
        workflows.jobs_of([str(folder / "in"), str(folder / "other")], str(folder / "out"))


def test_files_by_uri(tmp_path: Path) -> None:
    for root in ("memory://bucket/photos", f"file://{tmp_path}/photos"):
        remote.write(f"{root}/deep/a.jpg", b"one")
        remote.write(f"{root}/b.png", b"two")
        remote.write(f"{root}/notes.txt", b"three")
        assert remote.find(root) == [f"{root}/b.png", f"{root}/deep/a.jpg"]
        assert remote.find(f"{root}/b.png") == [f"{root}/b.png"]
        assert remote.read(f"{root}/deep/a.jpg") == b"one"
        assert remote.exists(f"{root}/b.png")
        assert not remote.exists(f"{root}/c.png")
        for lacking in (lambda root=root: remote.find(f"{root}/no"), lambda root=root: remote.read(f"{root}/no")):
            with pytest.raises(ImpastoError, match="/no"):
                lacking()
    with pytest.raises(ImpastoError, match="cannot reach nix://bucket"):
        remote.read("nix://bucket/a")
    assert not remote.is_uri("C:\\photos")
    assert not remote.is_uri("/photos/a.jpg")
