"""The studio's long work in real processes: lanes, pauses, and every way in which a process or the server can end."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from waiting import process_of, settled, under_way, wait_for

from clips import make_clip
from impasto import workflows
from impasto.errors import ImpastoError
from impasto.studio import records
from impasto.studio.job import Job
from impasto.studio.jobs import Jobs
from impasto.studio.naming import file_name, plain, unlike
from impasto.studio.submitting import Files, drafted
from support import photo

SERVER = """
import json, sys, time
from pathlib import Path
from impasto.studio.jobs import Jobs
jobs = Jobs(Path(sys.argv[1]), Path(sys.argv[2]))
print(jobs.submit("train", "Kept", json.loads(sys.argv[3]), {"painting": Path(sys.argv[4])}).id, flush=True)
time.sleep(300)
"""


def lay_out(
    jobs: Path, kind: str, title: str, request: dict[str, Any], files: Files, *, order: int, style: str
) -> Path:
    """The folder of a job that no server has looked at yet."""
    with drafted(jobs, files) as draft:
        return draft.submit(kind, title, request, order=order, style=style)


@pytest.mark.slow
def test_a_lane_takes_one_at_a_time_in_order_and_a_pause_changes_nothing(
    jobs: Jobs, painting: Path, snapshots: list[Path], tiny: dict[str, Any]
) -> None:
    files = {"painting": painting, "photos": snapshots, "preview": snapshots[:1]}
    request = {"name": "Großes Bild", "recipe": "fit", "options": tiny}
    first = jobs.submit("train", "Großes Bild", request, files)
    second = jobs.submit("train", "Großes Bild", request, files)
    assert (first.style, second.style) == ("grosses_bild", "grosses_bild_2")
    under_way(jobs, first.id)
    assert jobs.get(second.id).what == "waiting for its turn"
    jobs.pause(first.id)
    paused = settled(jobs, first.id, "paused")
    assert 0 < paused.done < 1
    assert not paused.error
    assert paused.elapsed > 0
    wait_for(lambda: jobs.get(second.id).state == "running")
    jobs.resume(first.id)
    assert jobs.get(first.id).state == "waiting"
    done = settled(jobs, second.id, "done")
    again = settled(jobs, first.id, "done")
    one, other = (load_file(jobs.styles / f"{job.style}.safetensors") for job in (done, again))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert done.done == 1
    assert done.remaining is None
    assert "20 steps" in done.what
    assert done.results == ("grosses_bild_2.safetensors",)
    curve = again.curve(10)
    assert [curve[0]["iteration"], curve[-1]["iteration"]] == [1, 20]
    assert len(curve) == 10
    preview = again.newest_preview()
    assert preview is not None
    with Image.open(preview) as picture:
        assert picture.size == (320, 640)
    told = json.loads((jobs.styles / "grosses_bild.json").read_text())
    assert told == {"title": "Großes Bild", "recipe": "fit", "job": first.id, "painting": "a painting.png"}
    with Image.open(jobs.styles / "grosses_bild.jpg") as picture:
        assert max(picture.size) <= 512
    assert workflows.load(jobs.styles / "grosses_bild.safetensors")(photo(1)).size == (48, 40)


@pytest.mark.slow
def test_a_killed_process_is_told_and_what_it_had_learned_can_be_kept(
    jobs: Jobs, painting: Path, tiny: dict[str, Any]
) -> None:
    request = {"name": "Endless", "recipe": "fit", "options": {**tiny, "max_iterations": 10**6}}
    job, other = (jobs.submit("train", title, request, {"painting": painting}) for title in ("Endless", "Another"))
    with pytest.raises(ImpastoError, match="not learned anything yet"):
        jobs.finish(other.id)
    jobs.cancel(other.id)
    assert jobs.get(other.id).state == "cancelled"
    with pytest.raises(ImpastoError, match="Another is cancelled; it cannot be resumed"):
        jobs.resume(other.id)
    wait_for(lambda: len(jobs.get(job.id).curve(1000)) > 4)
    with pytest.raises(ImpastoError, match="Endless is running; cancel it first"):
        jobs.remove(job.id)
    jobs.remove(other.id)
    assert not other.folder.exists()
    os.kill(process_of(job), signal.SIGKILL)
    killed = settled(jobs, job.id, "interrupted")
    assert killed.error.startswith("its process ended unexpectedly (signal 9); all up to step ")
    assert killed.error.endswith("is saved; resume it")
    jobs.finish(job.id)
    done = settled(jobs, job.id, "done")
    assert not done.error
    assert done.curve()[-1]["iteration"] <= killed.curve()[-1]["iteration"]
    assert workflows.load(jobs.styles / "endless.safetensors").style.provenance["iterations"] > 1


def test_a_killed_server_loses_nothing(tmp_path: Path, painting: Path, tiny: dict[str, Any]) -> None:
    folders = tmp_path / "jobs", tmp_path / "styles"
    request = {"name": "Kept", "recipe": "fit", "options": {**tiny, "max_iterations": 10**6}}
    command = [sys.executable, "-c", SERVER, *map(str, folders), json.dumps(request), str(painting)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        folder = folders[0] / server.stdout.readline().strip()
        wait_for(lambda: len(Job.read(folder).curve(1000)) > 4)
        with pytest.raises(ImpastoError, match="another studio works in"):
            Jobs(*folders)
        before = Job.read(folder).curve()[-1]["iteration"]
        server.kill()
    with Jobs(*folders) as jobs:
        assert jobs.get(folder.name).state == "interrupted"
        assert "the studio ended unexpectedly" in jobs.get(folder.name).error
        jobs.resume(folder.name)  # waits for the process of the server before
        wait_for(lambda: "going on from iteration" in (folder / "log.txt").read_text())
        log = (folder / "log.txt").read_text()
        assert log.index("stopped") < log.rindex("--- ")
        assert int(log.partition("going on from iteration ")[2].split()[0]) >= before
        assert log.count("--- ") == 2
        jobs.finish(folder.name)
        settled(jobs, folder.name, "done")
    assert workflows.load(folders[1] / "kept.safetensors").style.provenance["iterations"] >= before


def test_photos_are_repainted_but_for_the_broken_ones(jobs: Jobs, snapshots: list[Path], tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("a", "b")]
    given = [*snapshots]
    for place in places:
        place.mkdir()
        photo(9).save(place / "Sommer – Strand.jpg")
        given.append(place / "Sommer – Strand.jpg")
    given.append(tmp_path / "broken.jpg")
    given[-1].write_bytes(b"no picture")
    request = {"mix": {"flow_field-turbo": 0.5, "linocut-turbo": 0.5}, "strength": 0.7, "colors": "photo"}
    job = jobs.submit("photos", "7 photos", request, {"photos": given})
    done = settled(jobs, job.id, "done")
    assert done.notes == (
        "cannot read broken.jpg: not a JPEG, PNG, WebP, TIFF, BMP or GIF image; convert it to one of them",
    )
    assert done.what == "6 photos repainted, 1 could not be read"
    with zipfile.ZipFile(done.result("painted.zip")) as archive:
        names = ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "Sommer – Strand-2.jpg", "Sommer – Strand.jpg"]
        assert sorted(archive.namelist()) == names
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
        with Image.open(io.BytesIO(archive.read("Sommer – Strand-2.jpg"))) as picture:
            assert picture.size == (48, 40)
    assert all(path.exists() for path in given)
    for name in ("../request.json", "painted/../../request.json", "/etc/passwd", ""):
        with pytest.raises(ImpastoError, match="no such result"):
            done.result(name)
    alone = jobs.submit("photos", "1 photo", {"style": "flow_field-turbo"}, {"photos": given[-1:]})
    failed = settled(jobs, alone.id, "failed")
    assert failed.error.startswith("cannot read broken.jpg: not a JPEG")


def test_a_process_whose_server_is_gone_at_once_saves_and_stops(tmp_path: Path, snapshots: list[Path]) -> None:
    files = {"photos": snapshots * 3}
    folder = lay_out(tmp_path, "photos", "12 photos", {"style": "flow_field-turbo"}, files, order=1, style="")
    command = [sys.executable, "-m", "impasto.studio.worker", str(folder), str(tmp_path)]
    subprocess.run(command, stdin=subprocess.DEVNULL, timeout=60, check=True)
    assert json.loads((folder / "outcome.json").read_text()) == {"state": "stopped"}
    assert 0 < len(Job.read(folder).results) < 12


def test_a_clip_is_gone_on_with_and_a_crash_fails_it_alone(jobs: Jobs, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "Meer.mkv", 900, size=(129, 96), pixels="yuv444p", codec="libx264")
    job = jobs.submit("video", "Meer", {"style": "flow_field-turbo"}, {"clip": clip})
    under_way(jobs, job.id)
    os.kill(process_of(job), signal.SIGSEGV)
    failed = settled(jobs, job.id, "failed")
    assert failed.error.startswith("its process ended unexpectedly (signal 11): one of the files may be damaged")
    jobs.resume(job.id)
    under_way(jobs, job.id)
    jobs.pause(job.id)
    settled(jobs, job.id, "paused")
    jobs.resume(job.id)
    done = settled(jobs, job.id, "done")
    assert done.results == ("Meer.mp4",)
    with av.open(str(done.result("Meer.mp4"))) as video:
        stream = video.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sum(1 for _ in video.decode(video=0)) == 900
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no clip")
    job = jobs.submit("video", "broken", {"style": "flow_field-turbo"}, {"clip": broken})
    assert "cannot read broken.mp4" in settled(jobs, job.id, "failed").error


def test_the_judge_writes_a_report_and_can_be_stopped(jobs: Jobs, snapshots: list[Path]) -> None:
    request = {"style": "flow_field-turbo", "painting": "flow_field", "count": 1, "steps": 10_000, "size": 64}
    long = jobs.submit("judge", "long", request, {"photos": snapshots[:1]})
    under_way(jobs, long.id)
    jobs.cancel(long.id)
    job = jobs.submit("judge", "short", {**request, "steps": 2})
    assert jobs.get(long.id).state == "cancelled"
    done = settled(jobs, job.id, "done")
    assert {"report.zip", "report/report.html", "report/report.json"} <= set(done.results)
    with zipfile.ZipFile(done.result("report.zip")) as archive:
        assert "report.html" in archive.namelist()
    assert jobs.get(long.id).state == "cancelled"
    jobs.remove(long.id)


def test_ids_and_requests_that_nobody_should_send(jobs: Jobs, snapshots: list[Path], tmp_path: Path) -> None:
    for id in ("", "../styles", "0" * 15, "0" * 16, "A" * 16, "0123456789abcde\n", "0123456789abcdef/..", None, 7):
        for ask in (jobs.get, jobs.pause, jobs.resume, jobs.finish, jobs.cancel, jobs.remove):
            with pytest.raises(ImpastoError, match="no such job"):
                ask(id)  # type: ignore[arg-type]
    before = sorted(jobs.folder.iterdir())
    bad: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
        ("paint", {}, {}, "no kind of job 'paint'"),
        ("photos", {"style": "flow_field"}, {}, "nothing to work on: add photos"),
        ("photos", {"style": "flow_field"}, {"photos": []}, "nothing to work on: add photos"),
        ("photos", {}, {"photos": snapshots}, "which style"),
        ("photos", {"style": "flow_field"}, {"photos": [tmp_path / "gone.jpg"]}, "gone.jpg is not there any more"),
        ("photos", {"style": "flow_field"}, {"photos": [tmp_path]}, "is not there any more"),
        ("train", {"recipe": "slow"}, {"painting": snapshots[0]}, "no recipe 'slow'"),
        ("train", {"minutes": -1}, {"painting": snapshots[0]}, "minutes is -1"),
        ("train", {"options": {"overwrite": True}}, {"painting": snapshots[0]}, "no option 'overwrite'"),
        ("judge", {}, {}, "which style"),
    ]
    for kind, request, files, words in bad:
        with pytest.raises(ImpastoError, match=words):
            jobs.submit(kind, "x", request, files)
    assert sorted(jobs.folder.iterdir()) == before


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b'{"state": "flying"}', b"\xff\xfe", b"[" * 100_000])
def test_damaged_state_files_cost_no_job(tmp_path: Path, snapshots: list[Path], damage: bytes) -> None:
    files = {"photos": snapshots[:1]}
    one, other = (
        lay_out(tmp_path / "jobs", "photos", title, {"style": "flow_field-turbo"}, files, order=order, style="")
        for order, title in enumerate(("a", "b"))
    )
    (one / "state.json").write_bytes(damage)
    (one / "progress.json").write_bytes(damage)
    records.set_state(other, "paused")
    (other / "progress.json").write_text('{"done": NaN, "elapsed": -1, "remaining": "x", "what": 7, "notes": {"a": 1}}')
    (tmp_path / "jobs" / "0123456789abcdef").mkdir()
    (tmp_path / "jobs" / "0123456789abcdef" / "request.json").write_bytes(damage)
    (tmp_path / "jobs" / ".f.part").mkdir()
    with Jobs(tmp_path / "jobs", tmp_path / "styles") as jobs:
        assert [(job.title, job.state, job.done) for job in jobs.all()] == [("a", "interrupted", 0), ("b", "paused", 0)]
        assert jobs.get(one.name).error == "what was known of its state is damaged; resume it"
        with pytest.raises(ImpastoError, match="damaged"):
            jobs.get("0123456789abcdef")
    assert not (tmp_path / "jobs" / ".f.part").exists()


@pytest.fixture
def hopeless(tmp_path: Path, snapshots: list[Path]) -> Path:
    """The folder of a job that waits, and that no process can be started for."""
    files = {"photos": snapshots[:1]}
    folder = lay_out(tmp_path / "later", "photos", "a", {"style": "flow_field-turbo"}, files, order=1, style="")
    (folder / records.OUTCOME).mkdir()
    return folder


def test_what_waits_is_looked_at_again_after_the_disk_has_failed(
    tmp_path: Path, hopeless: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Jobs(tmp_path / "jobs", tmp_path / "styles") as jobs:
        away = jobs.folder.rename(tmp_path / "away")
        jobs._work.stir()
        wait_for(lambda: "FileNotFoundError" in capsys.readouterr().err)
        hopeless.rename(away / hopeless.name)
        away.rename(jobs.folder)
        assert settled(jobs, hopeless.name, "failed").error.startswith("cannot start a process for this: ")


def test_a_job_that_could_not_be_started_on_a_full_disk_is_tried_again(
    tmp_path: Path, hopeless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Any] = []

    def full(handle: int) -> None:
        tried.append(handle)
        raise OSError(errno.ENOSPC, "the disk is full")

    with Jobs(tmp_path / "jobs", tmp_path / "styles") as jobs:
        folder = hopeless.rename(jobs.folder / hopeless.name)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            jobs._work.stir()
            wait_for(lambda: len(tried) > 3)
            assert Job.read(folder).state == "waiting"
        assert settled(jobs, folder.name, "failed").error.startswith("cannot start a process for this: ")


def test_a_curve_is_thinned_and_a_torn_line_left_aside(tmp_path: Path, snapshots: list[Path]) -> None:
    folder = lay_out(tmp_path, "train", "a", {}, {"painting": snapshots[0]}, order=1, style="a")
    assert Job.read(folder).curve() == []
    assert Job.read(folder).newest_preview() is None
    (folder / "run" / "previews").mkdir(parents=True)
    lines = [json.dumps({"iteration": number, "total_loss": 1.0}) for number in range(1, 1001)]
    (folder / "run" / "losses.jsonl").write_text("\n".join([*lines, '{"iteration": 1001, "tot']))
    curve = Job.read(folder).curve(50)
    assert 45 <= len(curve) <= 50
    assert curve[0]["iteration"] == 1
    for name in ("000009.png", "000020.png", "1000000.png", ".part.png"):
        (folder / "run" / "previews" / name).touch()
    assert Job.read(folder).newest_preview() == folder / "run" / "previews" / "1000000.png"


@pytest.mark.parametrize(
    ("name", "file", "style"),
    [
        ("../../etc/passwd", "passwd", "etc_passwd"),
        ("C:\\boot.ini", "boot.ini", "c_boot_ini"),
        (".htaccess", "htaccess", "htaccess"),
        ("con.jpg", "photo.jpg", "con_jpg"),
        ("神奈川.JPG", "神奈川.jpg", "jpg"),
        ("a\nb\0.png", "ab.png", "a_b_png"),
        ("...", "photo", "style"),
        ("x" * 300 + ".png", "x" * 60 + ".png", "x" * 60),
    ],
)
def test_names_are_made_safe(name: str, file: str, style: str) -> None:
    assert file_name(name, "photo") == file
    assert plain(name, "style") == style
    assert unlike(file, {file.upper()}) != file
