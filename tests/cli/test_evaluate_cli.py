"""`impasto evaluate` as a user meets it."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console

from impasto.cli.evaluation_tables import tables
from impasto.config import NetworkConfig
from impasto.core.transformer import TransformerNet
from impasto.evaluation.report import read_report
from impasto.files import style_file
from impasto.training.result import make_style
from support import Command

Options = Mapping[str, str | None]
Made = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A style file of random weights, which says that SqueezeNet trained it."""
    torch.manual_seed(0)
    config = NetworkConfig(width=4, blocks=1)
    weights = TransformerNet(config).state_dict()
    path = tmp_path_factory.mktemp("styles") / "a style.safetensors"
    style_file.save(
        path, make_style(config, weights, ["a"], {"painting_sha256": "0", "options": {"loss_network": "squeezenet"}})
    )
    return path


@pytest.fixture(scope="module")
def usual(painting: Path, photo_folder: Path, loss_weights: Path) -> Options:
    """Options of an evaluation that takes a second."""
    return {
        "--painting": str(painting),
        "--photos": str(photo_folder),
        "--judge": "squeezenet",
        "--judge-weights": str(loss_weights),
        "--count": "2",
        "--sizes": "64",
        "--steps": "3",
    }


@pytest.fixture(scope="module")
def made(impasto: Command, style: Path, usual: Options, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The folder of a report, and the run that made it."""
    out = tmp_path_factory.mktemp("evaluation") / "ä report"
    done = impasto("evaluate", style, *flat(usual), "--out", out)
    assert done.returncode == 0, done.stderr + done.stdout
    return out, done


def flat(options: Options) -> list[str]:
    """`{"--sizes": "64 80"}` → `["--sizes", "64", "80"]` (paths keep spaces); "" is a flag, None leaves it out."""
    words: list[str] = []
    for name, value in options.items():
        if value is not None:
            words += [name, *(value.split() if name == "--sizes" else [value] if value else [])]
    return words


def test_it_prints_a_table_and_writes_a_report(made: Made) -> None:
    out, done = made
    for words in ("a style", "photo", "1 step", "3 steps", "painting", "judge: squeezenet, as asked; it also trained"):
        assert words in done.stdout
    assert "2 of 2 photos are smaller than 64 pixels" in done.stdout
    assert "a style was trained on another file than" in done.stdout
    pictures = {f"64-{i:02d}-{what}.jpg" for i in (1, 2) for what in ("photo", "style1", "steps3")}
    assert {path.name for path in out.iterdir()} == {"report.json", "report.html", "painting.jpg", *pictures}
    for name in pictures:
        with Image.open(out / name) as opened:
            assert opened.size == (64, 64)


def test_the_report_has_all_numbers(made: Made) -> None:
    values = json.loads((made[0] / "report.json").read_text("utf-8"))
    (found,) = values["results"]
    assert len(values["photos"]) == len(values["subject"]["photos"]) == 2
    assert [len(curve) for curves in found["baseline"]["curves"] for curve in curves] == [4] * 4
    (row,) = found["styles"]
    for index, weight in enumerate((10, 30)):
        assert row["objectives"][index] == pytest.approx(row["content"] + weight * row["style"])
    assert found["baseline"]["photo"]["ssim"] == pytest.approx(1)
    assert found["baseline"]["photo"]["content"] == 0
    assert list(found["baseline"]["optimized"]) == ["1", "3"]


def test_numbers_are_whole_on_80_columns_whatever_a_style_is_called(made: Made) -> None:
    report = read_report(made[0] / "report.json")
    (result,) = report.results
    named = replace(result, styles=(replace(result.styles[0], name="a_name_of_thirty_characters_xx"),))
    console = Console(width=80, file=io.StringIO())
    with console.capture() as shown:
        console.print(*tables(replace(report, results=(named,))))
    assert shown.get().count("…") == 1
    (row,) = [line for line in shown.get().splitlines() if "a_name_of" in line]
    assert f"{named.styles[0].total_variation:.4f}" in row


def test_an_earlier_optimization_is_used_again(
    made: Made, style: Path, usual: Options, tmp_path: Path, impasto_here: Command
) -> None:
    other = tmp_path / "another.safetensors"
    other.write_bytes(style.read_bytes())
    again = {**usual, "--reuse": str(made[0] / "report.json"), "--out": str(tmp_path / "o")}
    assert impasto_here("evaluate", style, other, *flat(again)).returncode == 0
    old, new = (json.loads((folder / "report.json").read_text("utf-8")) for folder in (made[0], tmp_path / "o"))
    assert new["results"][0]["baseline"] == old["results"][0]["baseline"]
    first, second = new["results"][0]["styles"]
    assert (first["name"], second["name"]) == ("a style", "another")
    assert first["objectives"] == pytest.approx(second["objectives"])
    assert first["objectives"] == pytest.approx(old["results"][0]["styles"][0]["objectives"], rel=1e-3)
    assert (tmp_path / "o" / "64-02-steps3.jpg").read_bytes() == (made[0] / "64-02-steps3.jpg").read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--steps": "4"}, "made with 3 steps"),
        ({"--count": "3"}, "other photos"),
        ({"--sizes": "64 80"}, "the sizes 64 and not 80"),
        ({"--judge": "pocket", "--judge-weights": None}, "another judge"),
        ({"--painting": "{report}/painting.jpg"}, "another painting"),
    ],
)
def test_an_earlier_optimization_of_something_else_is_refused(
    change: Options,
    words: str,
    made: Made,
    style: Path,
    usual: Options,
    impasto_here: Command,
    refused: Callable[..., str],
) -> None:
    changed = {name: value and value.format(report=made[0]) for name, value in change.items()}
    options = {**usual, "--reuse": str(made[0] / "report.json"), **changed}
    refused(impasto_here("evaluate", style, *flat(options)), words)


def test_ctrl_c_leaves_nothing_half_done(style: Path, usual: Options, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "impasto", "evaluate", str(style), *flat({**usual, "--steps": "100000"})]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "o")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("2 of 2 photos"):
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert errors.strip() == "impasto: stopped before the first piece was done, so nothing is kept"
    assert list((tmp_path / "o").iterdir()) == []


BAD: dict[str, tuple[list[str], Options, str]] = {
    "no style": ([], {}, "which style"),
    "style unknown": (["mona_lisa"], {}, "mona_lisa"),
    "style is the painting": (["{painting}"], {}, "not a whole style file"),
    "no painting": (["{style}"], {"--painting": None}, "--painting"),
    "painting missing": (["{style}"], {"--painting": "no.jpg"}, "no.jpg"),
    "painting no image": (["{style}"], {"--painting": "{text}"}, "notes.txt"),
    "no photos": (["{style}"], {"--photos": None}, "--photos"),
    "photo folder missing": (["{style}"], {"--photos": "nowhere"}, "nowhere"),
    "photo folder empty": (["{style}"], {"--photos": "{empty}"}, "no photos"),
    "size": (["{style}"], {"--sizes": "64 8"}, "--sizes is 64 8"),
    "size twice": (["{style}"], {"--sizes": "64 64"}, "each of them once"),
    "size no number": (["{style}"], {"--sizes": "large"}, "--sizes"),
    "steps": (["{style}"], {"--steps": "0"}, "--steps is 0"),
    "count": (["{style}"], {"--count": "0"}, "--count is 0"),
    "judge unknown": (["{style}"], {"--judge": "resnet"}, "squeezenet"),
    "judge weights without a name": (["{style}"], {"--judge": None}, "--judge"),
    "judge weights missing": (["{style}"], {"--judge-weights": "no.h5"}, "no.h5"),
    "judge weights foreign": (["{style}"], {"--judge": "vgg16"}, "does not fit vgg16"),
    "resume what": (["{style}"], {"--resume": "", "--out": None}, "--out"),
    "resume and overwrite": (["{style}"], {"--resume": "", "--overwrite": "", "--out": "{report}"}, "name one"),
    "resume and temporal": (["{style}"], {"--resume": "", "--temporal": "", "--out": "{report}"}, "--temporal"),
    "resume another report": (["{style}"], {"--resume": "", "--steps": "4", "--out": "{report}"}, "or steps"),
    "out is a file": (["{style}"], {"--out": "{text}"}, "is a file"),
    "out has a file in the way": (["{style}"], {"--out": "{blocked}"}, "is a file"),
    "out has a report": (["{style}"], {"--out": "{report}"}, "--overwrite"),
    "reuse missing": (["{style}"], {"--reuse": "no.json"}, "no.json"),
    "reuse no report": (["{style}"], {"--reuse": "{text}"}, "no report"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_line(
    case: str,
    made: Made,
    usual: Options,
    style: Path,
    painting: Path,
    tmp_path: Path,
    impasto_here: Command,
    refused: Callable[..., str],
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("neither image nor report")
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "pieces").touch()
    names = {
        "style": style,
        "painting": painting,
        "text": tmp_path / "notes.txt",
        "empty": tmp_path / "empty",
        "blocked": tmp_path / "blocked",
        "report": made[0],
    }
    styles, changes, words = BAD[case]
    options = {**usual, **{name: value and value.format_map(names) for name, value in changes.items()}}
    done = impasto_here("evaluate", *(name.format_map(names) for name in styles), *flat(options), cwd=tmp_path)
    assert len(refused(done, words)) < 500
    assert len(done.stderr.strip().splitlines()) == 1
