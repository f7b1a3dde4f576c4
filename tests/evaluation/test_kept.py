"""What a stopped evaluation keeps: taken only by what it was made for, only whole, and to the same numbers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from impasto.evaluation import meter
from impasto.evaluation.cases import Sample
from impasto.evaluation.kept import KeptPieces, Piece
from impasto.evaluation.meter import Meter, Progress
from impasto.evaluation.objective import Judge
from impasto.evaluation.options import EvaluateOptions
from impasto.evaluation.pictures import Photos, Source
from impasto.evaluation.report import Report
from impasto.evaluation.run import Candidate, Evaluation

STEPS = 3
PIECE = Piece({0: Sample(0.1, 1 / 3, 1e-300, 0.0, 5.0, 6.0)}, (0.1, 1 / 3), {"steps3": np.full((4, 5, 3), 7, np.uint8)})
MakeEvaluation = Callable[..., Evaluation]


@pytest.fixture
def make(judge: Judge, painting: Path, photo_folder: Path) -> MakeEvaluation:
    """An evaluation of two styles on two photos at 64 pixels: eight pieces."""

    def evaluation(folder: Path | None = None, **changes: Any) -> Evaluation:
        photos = Photos(tuple(Source.of(path) for path in sorted(photo_folder.glob("*.*"))[:2]))
        styles = [Candidate("dark", lambda photo: photo * 0.5, "d"), Candidate("light", lambda photo: photo**0.5, "l")]
        options = EvaluateOptions(count=2, sizes=(64,), steps=STEPS)
        made = Evaluation(styles, Source.of(painting), photos, judge, options, KeptPieces(folder))
        return dataclasses.replace(made, **changes)

    return evaluation


def numbers(report: Report) -> Any:
    """All that a report says, but for times."""
    return json.loads(
        report.to_json(), object_hook=lambda values: values | ({"seconds": 0} if "ssim" in values else {})
    )


def pixels_of(evaluation: Evaluation) -> dict[str, bytes]:
    return {name: pixels.tobytes() for name, pixels in evaluation.pictures.items()}


def test_a_piece_survives_its_file_to_the_bit() -> None:
    again = Piece.from_bytes(PIECE.to_bytes())
    assert (again.samples, again.curve) == (PIECE.samples, PIECE.curve)
    assert [*again.pictures] == ["steps3"]
    assert (again.pictures["steps3"] == 7).all()
    assert Piece.from_bytes(Piece({}, (2.0,)).to_bytes()).samples == {}


def test_a_piece_that_is_damaged_anywhere_is_refused() -> None:
    whole = PIECE.to_bytes()
    for place in range(0, len(whole), 7):
        with pytest.raises(ValueError, match="damaged"):
            Piece.from_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match="damaged"):
            Piece.from_bytes(whole[:place])


COSTS = [4, 4, 1, 1, 4, 4, 1, 1]
"""Of the pieces in order, in objectives: for each photo two optimizations with 3 + 1 of them, and two styles."""


@pytest.mark.parametrize(("stop", "pieces"), [(3, 0), (4, 1), (7, 1), (9, 3), (15, 5), (19, 7)])
def test_wherever_it_is_stopped_it_goes_on_to_the_same_numbers(
    make: MakeEvaluation, stop: int, pieces: int, tmp_path: Path
) -> None:
    heard: list[Progress] = []

    def listen(progress: Progress) -> None:
        heard.append(progress)
        if len(heard) == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path).run("", listen)
    assert len(list(tmp_path.iterdir())) == pieces

    again, told = make(tmp_path), list[str]()
    again.kept.read(again.costs, told.append)
    assert (len(again.kept), told) == (pieces, [])
    heard, stop = [], -1
    uninterrupted = make()
    assert numbers(again.run("", listen)) == numbers(uninterrupted.run(""))
    assert pixels_of(again) == pixels_of(uninterrupted)
    done = sum(COSTS[:pieces])
    assert [progress.done for progress in heard] == pytest.approx([n / 20 for n in range(done + 1, 21)])


def test_a_style_whose_first_pass_is_another_gives_the_same_numbers(make: MakeEvaluation, tmp_path: Path) -> None:
    def fresh() -> Candidate:
        """What a process makes of a style file: as with OpenVINO, its first pass is a little off."""
        shares = chain([0.51], repeat(0.5))
        return Candidate("dark", lambda photo: photo * next(shares), "d")

    def stop_halfway(progress: Progress) -> None:
        if progress.done >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, candidates=[fresh()]).run("", stop_halfway)
    again = make(tmp_path, candidates=[fresh()])
    again.kept.read(again.costs, [].append)
    assert len(again.kept) == 3
    assert numbers(again.run("")) == numbers(make(candidates=[fresh()]).run(""))


def test_a_damaged_piece_is_named_and_computed_anew(make: MakeEvaluation, tmp_path: Path) -> None:
    first = make(tmp_path).run("")
    damaged, empty, *_ = sorted(tmp_path.iterdir())
    data = damaged.read_bytes()
    damaged.write_bytes(data[:-1] + bytes([data[-1] ^ 255]))
    empty.write_bytes(b"")
    told: list[str] = []
    again = make(tmp_path)
    again.kept.read(again.costs, told.append)
    assert len(again.kept) == 6
    assert sorted(told) == [f"{path} is damaged; what it held is computed anew" for path in (damaged, empty)]
    assert numbers(again.run("")) == numbers(first)
    assert damaged.read_bytes()[32:].startswith(data[32:60])


def test_a_piece_is_taken_only_while_nothing_that_it_depends_on_has_changed(
    make: MakeEvaluation, judge: Judge, photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = make()
    before = set(evaluation.costs)
    assert len(before) == 8
    assert set(make().costs) == before
    other = Source.of(sorted(photo_folder.glob("*.*"))[5])
    changes: dict[str, Any] = {
        "painting": other,
        "judge": dataclasses.replace(judge, enlargement=1.25),
        "options": EvaluateOptions(count=2, sizes=(80,), steps=STEPS),
        "photos": Photos((other,)),
    }
    for name, value in changes.items():
        assert not before & set(make(**{name: value}).costs), name
    kept = before & set(make(options=EvaluateOptions(count=2, sizes=(64,), steps=STEPS + 1)).costs)
    assert len(kept) == 4  # a style's passes know nothing of steps
    dark, light = evaluation.candidates
    assert len(before & set(make(candidates=[dark, dataclasses.replace(light, sha256="retrained")]).costs)) == 6
    assert set(make(candidates=[dark, dataclasses.replace(light, name="renamed")]).costs) == before
    monkeypatch.setattr("impasto.evaluation.run.ALGORITHM", 0)
    assert not before & set(make().costs)


def test_a_judge_of_other_weights_takes_nothing(make: MakeEvaluation, layers: dict[str, Any]) -> None:
    before = set(make().costs)
    layers["third"].bias.data += 1e-6
    changed = make()
    changed.judge.__dict__.pop("sha256", None)  # it is kept once it is known
    assert not before & set(changed.costs)


def test_two_evaluations_of_one_photo_share_its_pieces(make: MakeEvaluation) -> None:
    """The same photo twice, or the same style, is computed once."""
    painted: list[Tensor] = []

    def paint(photo: Tensor) -> Tensor:
        painted.append(photo)
        return photo

    evaluation = make(candidates=[Candidate("a", paint, "same"), Candidate("b", paint, "same")])
    heard: list[Progress] = []
    first, second = evaluation.run("", heard.append).results[0].styles
    assert len(painted) == 2 + 1  # the first pass is no measure
    assert dataclasses.replace(first, name="b") == second
    assert heard[-1].done == 1


def test_what_is_left_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "pieces"
    kept = KeptPieces(folder)
    kept.remove()
    kept.add("key", PIECE)
    (folder / ".killed.part.piece").write_bytes(b"half")
    (folder / "mine.txt").write_text("keep")
    kept.remove()
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    (folder / "mine.txt").unlink()
    kept.remove()
    assert not folder.exists()


def test_the_time_left_goes_by_the_pace_of_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([100.0, 101.0, 103.0])
    monkeypatch.setattr(meter.time, "monotonic", lambda: next(now))
    heard: list[Progress] = []
    counted = Meter(100, 80, heard.append)
    counted.add(2, "warm")
    counted.add(4, "next")
    assert heard == [Progress(0.82, "warm", 1.0, None), Progress(0.86, "next", 3.0, 2.0 / 4 * 14)]
