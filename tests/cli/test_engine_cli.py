"""`impasto doctor`, `bench`, `export` as a user meets them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from support import Command, photo

Refused = Callable[..., str]


def test_doctor_tells_what_is_here_and_what_is_taken(impasto: Command, impasto_here: Command) -> None:
    done = impasto("doctor", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["packages"]["openvino"]
    assert facts["cores"] >= 1
    states = [one["state"] for one in facts["backends"]]
    assert states.count("taken") == 1
    assert states[0] == "taken"
    for one in facts["backends"]:
        assert one["why"]
        assert one["state"] == "missing" or one["psnr"] > (35 if one["precision"] == "bf16" else 60)
    assert {one["backend"] for one in facts["backends"]} == {"openvino", "onnxruntime", "torch"}
    table = impasto_here("doctor")
    assert table.returncode == 0
    assert "takes this" in table.stdout


def test_bench_prints_a_table(impasto: Command, trained: Path) -> None:
    done = impasto("bench", trained, "great_wave-turbo", "--sizes", "64x48", "96x64", "--seconds", "0.05")
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 2 * 3
    for row in rows[2:]:
        milliseconds, frames, times = (float(cell) for cell in row[3:6])
        assert milliseconds * frames == pytest.approx(1000, rel=0.03)
        assert times > 0
        assert re.fullmatch(r" \d+ MB ", row[6])
    assert [row[5].strip() for row in rows[2:] if "plain" in row[0]] == ["1.0", "1.0"]


def test_export_writes_models_that_paint_what_stylize_paints(impasto: Command, tmp_path: Path) -> None:
    photo(1, 61, 43).save(tmp_path / "photo.png")
    options = ("--mix", "udnie-turbo=1,tableau-turbo=1", "--strength", "0.5")
    done = impasto("export", *options, "--onnx", "new/model.onnx", "--openvino", "ir", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "ir").iterdir()) == ["mix.bin", "mix.xml"]
    done = impasto("stylize", "photo.png", *options, "--out", "o.png", "--precision", "float32", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "photo.png") as opened:
        values = np.asarray(opened, np.float32).transpose(2, 0, 1)[None]
    session = onnxruntime.InferenceSession(tmp_path / "new" / "model.onnx", providers=["CPUExecutionProvider"])
    with Image.open(tmp_path / "o.png") as painted:
        ours = session.run(None, {"photos": values})[0][0].transpose(1, 2, 0)
        assert np.abs(ours - np.asarray(painted)).max() <= 0.52


BAD = {
    "no style": (["--onnx", "o.onnx"], "name one"),
    "nothing to write": (["great_wave"], "--onnx"),
    "not an onnx file": (["great_wave", "--onnx", "o.pt"], ".onnx"),
    "exists": (["great_wave", "--onnx", "there.onnx"], "--overwrite"),
    "mix as input and built in": (["--mix", "udnie=1", "--mix-input", "--onnx", "o.onnx"], "--mix-input"),
    "unknown": (["nonesuch", "--onnx", "o.onnx"], "nonesuch"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_of_export_gets_one_clear_line(
    case: str, impasto_here: Command, refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "there.onnx").write_text("mine")
    arguments, words = BAD[case]
    refused(impasto_here("export", *arguments, cwd=tmp_path), words)
    assert [path.name for path in tmp_path.iterdir()] == ["there.onnx"]
    assert (tmp_path / "there.onnx").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonesuch",), "nonesuch"),
        (("--sizes", "large"), "1280x720"),
        (("--sizes", "0x10"), "1280x720"),
        (("--batch", "0"), "--batch"),
        (("--backend", "abacus"), "abacus"),
    ],
)
def test_bad_input_of_bench_gets_one_clear_line(
    arguments: tuple[str, ...], words: str, impasto_here: Command, refused: Refused
) -> None:
    refused(impasto_here("bench", *arguments), words)
