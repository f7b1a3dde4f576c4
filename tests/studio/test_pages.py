"""What comes from the page may be anything; what goes back is in words, and the page can go on."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from impasto.errors import ImpastoError
from impasto.studio.limits import Limits
from impasto.studio.look import Look
from impasto.studio.parts import uploaded
from impasto.studio.places import opened
from impasto.studio.served import Served

if TYPE_CHECKING:
    from impasto.studio.studio import Studio

pytest.importorskip("gradio")

CONTROLS = [{"chosen": "great_wave"}, 1, "", 0.5, False, 1]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    from impasto.studio.studio import open_studio

    with pytest.MonkeyPatch.context() as patch, opened(tmp_path_factory.mktemp("library"), Limits()) as places:
        patch.setenv("GRADIO_TEMP_DIR", str(places.uploads))
        with open_studio(places) as studio:
            yield studio


@pytest.fixture(scope="module")
def built(studio: Studio) -> Any:
    """The page, as Gradio's Blocks."""
    from impasto.studio import page

    return page.build(studio)


@pytest.fixture(scope="module")
def handlers(built: Any) -> dict[str, Callable[..., Any]]:
    """The page's events by the names of their functions, as Gradio would call them."""
    return {fn.name: fn.fn for fn in built.fns.values() if fn.fn is not None}


@pytest.fixture(scope="module")
def opened_photo(handlers: dict[str, Callable[..., Any]]) -> dict[str, Any]:
    value: dict[str, Any] = handlers["paint"](handlers["open_photo"]({"sample": "chelsea"}), *CONTROLS)
    assert value["after"]
    return value


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["a" * 5000, "\ud800", "/".join(["a"] * 3000), "x\0", "..", "."])
def test_what_names_no_file_is_refused_in_words(uploads: Path, name: str) -> None:
    with pytest.raises(ImpastoError, match="drop it again"):
        uploaded({"path": f"{uploads}/{name}"})


@pytest.mark.parametrize("data", [None, 5, [], {}, {"path": 5}, {"path": {}}, {"path": "/etc/hostname"}])
def test_what_is_no_upload_is_refused_in_words(uploads: Path, data: object) -> None:
    with pytest.raises(ImpastoError, match="drop it again"):
        uploaded(data)


@pytest.mark.parametrize(
    ("called", "kept"),
    [
        ("holiday " * 30 + ".jpg", ".jpg"),
        ("../../.bashrc", "bashrc"),
        ("<img src=x>.png", "img src=x.png"),
        ("x\ud800.png", "x.png"),
        (["x"], "photo.png"),
    ],
)
def test_a_name_of_any_kind_keeps_its_suffix_and_nothing_that_harms(uploads: Path, called: object, kept: str) -> None:
    (uploads / "photo.png").write_bytes(b"x")
    path, name = uploaded({"path": f"{uploads}/photo.png", "orig_name": called})
    assert path == (uploads / "photo.png").resolve()
    assert name.endswith(kept)
    assert len(name) <= 64


@pytest.mark.parametrize(
    "told",
    [
        {"strength": "x"},
        {"strength": None},
        {"strength": float("nan")},
        {"share": []},
        {"stroke": {}},
        {"style": ["x"]},
        {"partner": ["x"]},
    ],
)
def test_a_look_of_anything_else_is_refused_in_words(told: dict[str, Any]) -> None:
    with pytest.raises(ImpastoError):
        Look(**{"style": "udnie", **told})


@pytest.mark.parametrize("value", [None, [], "x", 5, {"photo": 5}, {"photo": {"id": [1]}}, {"file": 5}, {"look": 5}])
def test_events_take_any_value(handlers: dict[str, Callable[..., Any]], value: object) -> None:
    handlers["open_photo"](value)
    handlers["paint"](value, *CONTROLS)
    handlers["swatches"](value, value)
    handlers["recall"](value, value)
    handlers["renewed"](value, value)
    handlers["_ready"](value, "")


@pytest.mark.parametrize("strength", [[7], ["x"], [None], []])
def test_what_no_control_sends_is_told_on_one_line(
    built: Any, caplog: pytest.LogCaptureFixture, strength: list[Any]
) -> None:
    import gradio as gr

    (called,) = (fn for fn in built.fns.values() if fn.name == "paint_in_full")
    with pytest.raises(gr.Error) as refused:
        asyncio.run(built.preprocess_data(called, [{}, CONTROLS[0], *strength, *CONTROLS[2:]], None))
    assert not refused.value.print_exception
    (line,) = caplog.messages
    assert line.startswith("refused what was sent to paint_in_full: ")
    assert "\n" not in line


def test_a_file_that_is_no_photo_leaves_the_one_before_ready_to_be_painted(
    handlers: dict[str, Callable[..., Any]], opened_photo: dict[str, Any]
) -> None:
    told = handlers["open_photo"]({**opened_photo, "file": {"path": os.devnull}, "sample": None})
    assert "drop it again" in told["error"]
    assert told["after"] == opened_photo["after"]
    assert "styles" not in handlers["swatches"](told, {})
    again = handlers["paint"](told, *CONTROLS)
    assert again["after"] not in ("", told["after"])
    assert "error" not in again


def test_when_a_training_ends_the_gallery_stays_painted_on_the_visitors_photo(
    handlers: dict[str, Callable[..., Any]], opened_photo: dict[str, Any]
) -> None:
    sample, _ = handlers["renewed"]({"chosen": "udnie"}, {})
    again, _ = handlers["renewed"]({"chosen": "udnie"}, {})
    own, _ = handlers["renewed"]({"chosen": "udnie"}, opened_photo)
    assert sample == again != own
    assert own["chosen"] == "udnie"


def test_a_painting_that_failed_does_not_stop_the_next(
    handlers: dict[str, Callable[..., Any]], opened_photo: dict[str, Any]
) -> None:
    failed = handlers["paint"](opened_photo, {"chosen": "gone"}, *CONTROLS[1:])
    assert "there is no style 'gone'" in failed["error"]
    assert handlers["paint"](failed, *CONTROLS)["after"]


def test_a_style_is_chosen_from_a_list_that_the_server_has_forgotten(built: Any) -> None:
    dropdowns = [block for block in built.blocks.values() if block.get_block_name() == "dropdown"]
    assert len(dropdowns) == 2
    for dropdown in dropdowns:
        assert dropdown.preprocess("yours:new") == "yours:new"
        assert dropdown.preprocess(["x"]) == ""


def test_a_second_style_that_cannot_be_mixed_with_the_first_is_left_out(
    handlers: dict[str, Callable[..., Any]], opened_photo: dict[str, Any]
) -> None:
    painted = handlers["paint"](opened_photo, {"chosen": "udnie"}, 1, "yours:removed", 0.5, False, 1)
    assert painted["look"]["partner"] is None


def test_a_picture_of_the_gallery_that_was_removed_is_painted_again(studio: Studio) -> None:
    from impasto.studio.pages.looks import Gallery

    gallery = Gallery(studio)
    urls = [style["picture"] for style in gallery.value("udnie")["styles"]]
    path = Path("/", urls[0].partition("file=")[2])
    path.unlink()
    again = [style["picture"] for style in gallery.value("udnie")["styles"]]
    assert urls[1:] == again[1:]
    assert Path("/", again[0].partition("file=")[2]).exists()


def test_a_style_that_cannot_be_loaded_has_no_picture_and_spoils_no_others(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from impasto.studio.pages.looks import Gallery

    stylizer = studio.shelf.stylizer

    def failing(wanted: list[str], **options: bool) -> Any:
        if "udnie" in wanted:
            raise ImpastoError("it belongs to another gallery")
        return stylizer(wanted, **options)

    monkeypatch.setattr(studio.shelf, "stylizer", failing)
    pictures = {style["id"]: style["picture"] for style in Gallery(studio).value("udnie")["styles"]}
    assert [name for name, picture in pictures.items() if not picture] == ["udnie"]


def test_frames_beyond_what_can_be_live_are_refused_at_once(studio: Studio) -> None:
    held = studio.easel._frames
    taken = sum(held.acquire(blocking=False) for _ in range(studio.limits.frames))
    with pytest.raises(ImpastoError, match="too many cameras"):
        studio.easel.paint_frame(b"", Look("udnie"))
    held.release(taken)
    with pytest.raises(ImpastoError, match="frame"):
        studio.easel.paint_frame(b"", Look("udnie"))


def test_nothing_is_painted_on_a_full_disk(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    canvas = studio.easel.put(studio.samples["chelsea"], "chelsea.jpg")
    monkeypatch.setattr(studio.easel, "_looked", float("-inf"))
    monkeypatch.setattr(type(studio.easel._places), "room", lambda places: 0)
    for paint in (studio.easel.paint, lambda *given: studio.easel.paint_in_full(*given, "chelsea")):
        with pytest.raises(ImpastoError, match="disk is full"):
            paint(canvas, Look("udnie"))
    monkeypatch.undo()
    studio.easel._looked = float("-inf")
    assert studio.easel.paint(canvas, Look("udnie")).exists()


def test_a_style_that_was_replaced_by_hand_is_loaded_anew_and_a_damaged_one_is_left_out(studio: Studio) -> None:
    from impasto.files import gallery

    path, row = gallery.bundled()["udnie"]
    target = studio.shelf.folder / "mine.safetensors"
    assert row is not None
    target.write_bytes(path.read_bytes())
    target.with_suffix(".json").write_text("[1, 2]")
    (studio.shelf.folder / "damaged.safetensors").write_bytes(b"x" * 100)
    assert [entry.id for entry in studio.shelf.entries() if entry.group == "yours"] == ["yours:mine"]
    first, _ = studio.shelf.stylizer(["yours:mine"])
    assert studio.shelf.stylizer(["yours:mine"])[0] is first
    os.utime(target, (1, 1))
    assert studio.shelf.stylizer(["yours:mine"])[0] is not first
    target.unlink()
    with pytest.raises(ImpastoError, match="there is no style"):
        studio.shelf.stylizer(["yours:mine"])


def test_a_style_that_loads_slowly_takes_nobody_elses_turn(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    from impasto import workflows
    from impasto.files import gallery

    target = studio.shelf.folder / "slow.safetensors"
    target.write_bytes(gallery.bundled()["udnie"][0].read_bytes())
    canvas = studio.easel.put(studio.samples["chelsea"], "chelsea.jpg")
    load, asked, go_on = workflows.load_several, threading.Event(), threading.Event()

    def slow(names: tuple[str, ...]) -> Any:
        if str(target) in names:
            asked.set()
            assert go_on.wait(60)
        return load(names)

    monkeypatch.setattr(workflows, "load_several", slow)
    count = studio.limits.stylizing
    with ThreadPoolExecutor(count) as pool:
        waiting = [pool.submit(studio.easel.paint, canvas, Look("yours:slow")) for _ in range(count)]
        assert asked.wait(60)
        try:
            assert studio.easel.paint(canvas, Look("udnie")).exists()
            assert not any(one.done() for one in waiting)
        finally:
            go_on.set()
        assert all(one.result().exists() for one in waiting)
    target.unlink()


def test_a_style_that_could_not_be_loaded_is_tried_again(studio: Studio) -> None:
    from impasto.files import gallery

    target = studio.shelf.folder / "mended.safetensors"
    whole = gallery.bundled()["udnie"][0].read_bytes()
    target.write_bytes(whole[:-4000] + bytes(4000))
    os.utime(target, (1, 1))
    with pytest.raises(ImpastoError):
        studio.shelf.stylizer(["yours:mended"])
    target.write_bytes(whole)
    os.utime(target, (1, 1))
    assert studio.shelf.stylizer(["yours:mended"])
    target.unlink()


def test_in_full_size_a_photo_that_is_gone_or_damaged_is_called_by_its_name(studio: Studio, tmp_path: Path) -> None:
    from impasto.studio.pages import repaint

    path = tmp_path / "upload.jpg"
    path.write_bytes(studio.samples["chelsea"].read_bytes())
    value = {"photo": {"id": studio.easel.put(path, "Katze.jpg").id}}
    path.write_bytes(b"no photo")
    with pytest.raises(ImpastoError, match=r"^cannot read Katze\.jpg: "):
        repaint._painted_in_full(studio, value, Look("udnie"))
    path.unlink()
    with pytest.raises(ImpastoError, match="drop it again"):
        repaint._painted_in_full(studio, value, Look("udnie"))


def test_of_several_clips_all_begin_or_none(studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from impasto.studio.pages import batch

    monkeypatch.setattr("impasto.studio.supervisor.Supervisor._start_next", lambda supervisor: None)
    before = studio.jobs.all()
    (tmp_path / "a.mp4").write_bytes(b"a")
    clips = [(tmp_path / name, name) for name in ("a.mp4", "gone.mp4")]
    with pytest.raises(ImpastoError, match="not there any more"):
        batch._begin(studio, clips, Look("udnie"))
    assert studio.jobs.all() == before
    (begun,) = batch._begin(studio, clips[:1], Look("udnie"))
    studio.jobs.cancel(begun)


def test_a_file_that_cannot_be_handed_out_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "another disk")

    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "the disk is full")

    (tmp_path / "film.mp4").write_bytes(b"film")
    served = Served(tmp_path / "served")
    monkeypatch.setattr(os, "link", no_link)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        assert served.url(tmp_path / "film.mp4") == ""
    assert [path for path in served.folder.rglob("*") if path.is_file()] == []
    assert served.url(tmp_path / "film.mp4")
    assert [path.name for path in served.folder.rglob("*") if path.is_file()] == ["film.mp4"]


def test_the_judge_is_told_what_people_call_a_style_that_was_trained_here(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from impasto.files import gallery
    from impasto.studio.pages import compare

    monkeypatch.setattr("impasto.studio.supervisor.Supervisor._start_next", lambda supervisor: None)
    target = studio.shelf.folder / "quay.safetensors"
    target.write_bytes(gallery.bundled()["udnie"][0].read_bytes())
    target.with_suffix(".json").write_text('{"title": "The Quay"}')
    painting = studio.samples["chelsea"]
    given = {"files": [{"path": str(painting)}]}
    job = studio.jobs.get(compare._begin(studio, "yours:quay", "", given, None))
    assert job.request["title"] == "The Quay"
    studio.jobs.cancel(job.id)
    target.unlink()


@pytest.mark.parametrize(("state", "stays"), [("done", False), ("interrupted", False), ("waiting", True)])
def test_what_was_painted_goes_some_days_after_it_ended(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, state: str, stays: bool
) -> None:
    from impasto.studio import records

    monkeypatch.setattr("impasto.studio.supervisor.Supervisor._start_next", lambda supervisor: None)
    files = {"photos": [studio.samples["chelsea"]]}
    job = studio.submit("photos", "x", {"style": "udnie"}, files)
    records.set_state(job.folder, state)
    studio.submit("photos", "y", {"style": "udnie"}, files)
    assert studio.jobs.get(job.id).state == state  # however long it took: it has only just ended
    os.utime(job.folder / records.STATE, (1, 1))
    studio.submit("photos", "z", {"style": "udnie"}, files)
    assert job.folder.exists() == stays


def test_what_was_painted_goes_also_where_nobody_submits_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from impasto.studio import records
    from impasto.studio.studio import open_studio

    monkeypatch.setattr("impasto.studio.supervisor.Supervisor._start_next", lambda supervisor: None)

    def submit_and_age() -> Path:
        job = studio.submit("photos", "x", {"style": "udnie"}, {"photos": [studio.samples["chelsea"]]})
        records.set_state(job.folder, "done")
        os.utime(job.folder / records.STATE, (1, 1))
        return job.folder

    with opened(tmp_path, Limits()) as places:
        with open_studio(places) as studio:
            painted = submit_and_age()
        assert painted.exists()
        with open_studio(places) as studio:
            assert not painted.exists()
            painted = submit_and_age()
            places.chores[-1]()
            assert not painted.exists()
