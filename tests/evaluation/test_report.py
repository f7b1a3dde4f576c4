"""A report as values, as JSON and as a page."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from impasto.errors import ImpastoError
from impasto.evaluation.curve import Level, svg
from impasto.evaluation.folder import ReportFolder
from impasto.evaluation.page import html
from impasto.evaluation.report import Baseline, Report, Row, SizeResult, Subject, read_report

EVIL = '<script>alert("ä & b")</script>'
CURVES = (((8.0, 4.0, 2.0, 1.0), (6.0, 6.0, 4.0, 3.0)), ((20.0, 10.0, 5.0, 2.0), (20.0, 12.0, 9.0, 8.0)))


def row(name: str, *objectives: float) -> Row:
    return Row(name, 0.5, 0.1, objectives, 0.4, 0.01, 1.5, 0.25)


@pytest.fixture
def report() -> Report:
    optimized = {1: row("1 step", 5, 11), 3: row("3 steps", 2, 5)}
    baseline = Baseline(64, CURVES, row("photo", 7, 20), optimized)
    result = SizeResult(baseline, 1.9, (row("wave", 4.0, 7.0), row(EVIL, 9.0, 4.9)))
    subject = Subject("aa", ("bb", "cc"), "dd", 3)
    return Report(subject, EVIL, ("a.jpg", EVIL), "pocket", EVIL, (result,), {"x": f"cannot read {EVIL}"})


def test_worth_is_that_of_the_mean_curve_and_the_larger_is_quoted(report: Report) -> None:
    (result,) = report.results
    assert result.baseline.means == [[7, 5, 3, 2], [20, 11, 7, 5]]
    wave, other = result.styles
    assert result.worths(wave) == [2, 2]
    assert result.worths(other) == [0, None]
    assert result.worth(wave) == 2
    assert result.worth(other) is None
    assert [result.worth_text(style) for style in result.styles] == ["2", ">3"]
    assert result.worth(dataclasses.replace(wave, objectives=(5.0, 10.9))) == 2


def test_a_report_survives_its_file(report: Report, tmp_path: Path) -> None:
    folder = ReportFolder.new(tmp_path / "new" / "folder", overwrite=False)
    folder.write(report, {})
    assert read_report(folder.path / "report.json") == report


def test_baselines_are_taken_only_by_what_they_fit(report: Report) -> None:
    subject = report.subject
    assert report.baselines(subject, [64], "r.json") == {64: report.results[0].baseline}
    for change, words in [
        ({"painting": "?"}, "another painting"),
        ({"photos": ("cc", "bb")}, "other photos"),
        ({"judge": "?"}, "another judge"),
        ({"steps": 4}, "3 steps"),
    ]:
        with pytest.raises(ImpastoError, match=f"r.json.*{words}"):
            report.baselines(dataclasses.replace(subject, **change), [64], "r.json")
    with pytest.raises(ImpastoError, match="sizes 64 and not 128"):
        report.baselines(subject, [64, 128], "r.json")


NO_REPORTS = ["", "[]", "{}", '{"format": 1}', '{"format": 99}', "\ud800", '{"format": 1, "subject": 3}']


@pytest.mark.parametrize("text", NO_REPORTS)
def test_what_is_no_report_is_refused_in_a_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ImpastoError, match=r"r\.json") as caught:
        read_report(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ImpastoError, match="No such file"):
        read_report(tmp_path / "no.json")


class Page(HTMLParser):
    """What a browser would fetch and run, and whether all that is opened is closed."""

    VOID = frozenset(["meta", "img"])

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1] in ("path", "circle", "polyline"):
            self.open.pop()
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_what_was_found_and_runs_and_fetches_nothing(report: Report) -> None:
    pictures = {"64-01-photo.jpg", "64-01-style1.jpg", "64-02-steps3.jpg", "painting.jpg"}
    text = html(report, pictures)
    page = Page(text)
    assert "script" not in page.tags
    assert set(page.links) == pictures
    assert "http" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert page.text.count(EVIL) >= 5
    for words in ("wave is worth 2 steps", "more than 3 steps", "1.90", "64 × 64"):
        assert words in page.text


def test_the_curve_goes_down_to_the_right_and_the_levels_lie_where_they_cross() -> None:
    curve = [10.0, 5.0, 2.0, 1.0]
    chart = ET.fromstring(svg(curve, [Level("a & b", 2.0, 2), Level("far", 0.5, None)], "T"))
    points = np.array([list(map(float, p.split(","))) for p in chart.find("polyline").get("points").split()])
    assert (np.diff(points, axis=0) > 0).all()
    (dot,) = chart.findall("circle")
    assert [float(dot.get("cx")), float(dot.get("cy"))] == pytest.approx(points[2].tolist(), abs=0.1)
    labels = [text.text for text in chart.findall("text") if "label" in text.get("class")]
    assert labels == ["far · more than 3 steps", "a & b · 2 steps"]
    width, height = (float(side) for side in chart.get("viewBox").split()[2:])
    assert ((points > 0) & (points < [width, height])).all()


def test_labels_of_styles_that_are_equally_good_do_not_overlap() -> None:
    chart = ET.fromstring(svg([9.0, 1.0], [Level(str(i), 4 + i / 100, 1) for i in range(5)], "T"))
    heights = sorted(float(t.get("y")) for t in chart.findall("text") if "label" in t.get("class"))
    assert min(np.diff(heights)) >= 14


def test_a_folder_with_a_report_is_kept_and_a_replaced_one_leaves_no_pictures(report: Report, tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    ReportFolder.new(tmp_path, overwrite=False).write(report, {"64-01-photo.jpg": pixels, "64-02-photo.jpg": pixels})
    (tmp_path / "mine.jpg").write_bytes(b"keep")
    with pytest.raises(ImpastoError, match="--overwrite"):
        ReportFolder.new(tmp_path, overwrite=False)
    ReportFolder.new(tmp_path, overwrite=True).write(report, {"64-01-photo.jpg": pixels})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["64-01-photo.jpg", "mine.jpg", "report.html", "report.json"]
    with pytest.raises(ImpastoError, match="is a file"):
        ReportFolder.new(tmp_path / "mine.jpg", overwrite=True)


def test_pictures_of_the_optimization_come_along_from_the_report_that_is_used_again(
    report: Report, tmp_path: Path
) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    old, new = tmp_path / "old", tmp_path / "new"
    ReportFolder.new(old, overwrite=False).write(report, {"64-01-steps3.jpg": pixels, "64-01-style1.jpg": pixels})
    ReportFolder.new(new, overwrite=False).write(report, {"64-01-photo.jpg": pixels}, old)
    assert sorted(path.name for path in new.glob("*.jpg")) == ["64-01-photo.jpg", "64-01-steps3.jpg"]
    assert "64-01-steps3.jpg" in (new / "report.html").read_text("utf-8")
    assert json.loads((new / "report.json").read_text("utf-8"))["format"] == 1
