"""`impasto train` as a user meets it: the files it makes, resuming, stopping, and every kind of bad input."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from impasto.config import RECIPES, flatten, make_config
from impasto.files import gallery, style_file
from impasto.training.fabric import choose_precision, quick_batch
from impasto.workflows import usual_recipe
from support import Command, photo

Refused = Callable[..., str]


def losses(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "losses.jsonl").read_text().splitlines()]


def test_a_run_leaves_all_that_the_readme_promises(trained: Path) -> None:
    run = trained.parent / "run"
    entries = losses(run)
    assert [entry["iteration"] for entry in entries] == [1, 2, 3, 4, 5, 6]  # 2 epochs of 12 // 4
    assert all(np.isfinite(entry["total_loss"]) for entry in entries)
    assert tomllib.loads((run / "config.toml").read_text())["image_size"] == 48
    with Image.open(run / "progress.png") as figure:
        assert figure.size == (990, 540)
    with Image.open(sorted((run / "previews").iterdir())[-1]) as preview:
        assert preview.size == (4 * 48, 2 * 48)
    assert {"network", "provenance"} & set(json.loads((run / "job.json").read_text())) == set()
    assert not [path for path in run.rglob("*") if ".part" in path.name]


def test_a_configuration_file_gives_the_same_style_again(
    trained: Path, impasto: Command, painting: Path, photo_folder: Path, loss_weights: Path, tmp_path: Path
) -> None:
    config = trained.parent / "run" / "config.toml"
    again = tmp_path / "again.safetensors"
    done = impasto(
        *("train", painting, "--photos", photo_folder, "--config", config, "--loss-weights", loss_weights),
        *("--out", again, "--run-dir", tmp_path / "run"),
    )
    assert done.returncode == 0, done.stderr
    first, second = load_file(trained), load_file(again)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_stopping_by_ctrl_c_and_resuming_ends_in_the_same_bits(
    trained: Path, impasto: Command, painting: Path, photo_folder: Path, small: list[str], tmp_path: Path
) -> None:
    run, out = tmp_path / "run", tmp_path / "out.safetensors"
    command = ["train", painting, "--photos", photo_folder, "--out", out, "--run-dir", run, *small, "--plot-every", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "impasto", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not (run / "losses.jsonl").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert f"impasto train --resume {run}" in errors.replace("'", "")
    assert not out.exists()
    done = impasto("train", "--resume", run)
    assert done.returncode == 0, done.stderr
    assert [entry["iteration"] for entry in losses(run)] == [1, 2, 3, 4, 5, 6]
    first, second = load_file(trained), load_file(out)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_previews_show_photos_of_ones_own_until_those_vanish(
    impasto_here: Command, painting: Path, photo_folder: Path, small: list[str], tmp_path: Path
) -> None:
    run, own = tmp_path / "run", [tmp_path / f"{seed}.jpg" for seed in (1, 2)]
    for seed, path in enumerate(own):
        photo(seed).save(path)
    command = [
        "train",
        painting,
        "--photos",
        photo_folder,
        "--out",
        tmp_path / "s.safetensors",
        "--run-dir",
        run,
        *small,
    ]
    done = impasto_here(*command, "--max-iterations", "2", "--preview-photos", *own)
    assert done.returncode == 0, done.stderr
    with Image.open(run / "previews" / "000002.png") as preview:
        assert preview.size == (2 * 320, 2 * 320)
    told = json.loads((run / "job.json").read_text())
    assert told["previews"] == [str(path) for path in own]
    for path in own:
        path.unlink()
    done = impasto_here("train", "--resume", run, "--max-iterations", "4")
    assert done.returncode == 0, done.stderr
    assert "left out of the previews" in " ".join(done.stdout.split())
    with Image.open(run / "previews" / "000004.png") as preview:
        assert preview.size == (4 * 48, 2 * 48)
    # A run folder of before knows nothing of previews.
    del told["previews"], told["sha256"]["job.json"]
    fixed = {name: value for name, value in told.items() if name != "sha256"}
    told["sha256"]["job.json"] = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()
    (run / "job.json").write_text(json.dumps(told))
    done = impasto_here("train", "--resume", run, "--max-iterations", "5")
    assert done.returncode == 0, done.stderr


def test_a_torn_checkpoint_falls_back_to_the_one_before(trained: Path, impasto_here: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.parent / "run", run)
    whole = (run / "checkpoint.pt").read_bytes()
    (run / "checkpoint-before.pt").write_bytes(whole)
    (run / "checkpoint.pt").write_bytes(whole[: len(whole) // 2])
    done = impasto_here("train", "--resume", run, "--epochs", "3", "--out", tmp_path / "out.safetensors")
    assert done.returncode == 0, done.stderr
    assert "checkpoint.pt is damaged" in "".join(done.stdout.split("\n"))
    assert "going on from iteration 6" in done.stdout
    assert len(losses(run)) == 9


def test_broken_photos_are_left_out_and_named(
    impasto_here: Command, painting: Path, small: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(34):
        photo(seed).save(folder / f"{seed:02d}.jpg", quality=95)
    whole = (folder / "03.jpg").read_bytes()
    (folder / "03.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "04.png").write_bytes(b"")
    header = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    giant = len(header[4:]).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    (folder / "05.png").write_bytes(b"\x89PNG\r\n\x1a\n" + giant)
    out = tmp_path / "s.safetensors"
    done = impasto_here("train", painting, "--photos", folder, "--out", out, *small, "--epochs", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 photos could not be read" in done.stdout
    assert "03.jpg" in done.stdout
    assert "04.png" in done.stdout
    assert "05.png: 60000×60000" in done.stdout
    (run,) = (tmp_path / "runs").iterdir()
    assert len(losses(run)) == 9  # 36 files in batches of 4: others take the places of the broken ones


def test_max_iterations_ends_early_and_several_folders_count_together(
    impasto: Command, painting: Path, photo_folder: Path, small: list[str], tmp_path: Path
) -> None:
    photo(50).save(tmp_path / "extra.png")
    out = tmp_path / "s.safetensors"
    done = impasto(
        *("train", painting, "--photos", photo_folder, tmp_path, "--out", out, *small),
        *("--max-iterations", "2", "--run-dir", tmp_path / "run", "--live", "--track", "tensorboard"),
        DISPLAY="",
    )
    assert done.returncode == 0, done.stderr
    assert "with 13 photos" in done.stdout
    assert "--live: no window" in done.stdout
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))
    assert len(losses(tmp_path / "run")) == 2


def test_losses_that_stop_being_finite_end_the_run_with_the_last_good_state(
    impasto_here: Command, painting: Path, photo_folder: Path, small: list[str], tmp_path: Path, refused: Refused
) -> None:
    out = tmp_path / "s.safetensors"
    done = impasto_here(
        *("train", painting, "--photos", photo_folder, "--out", out, *small),
        *("--learning-rate", "1e30", "--run-dir", tmp_path / "run"),
    )
    refused(done, "the loss became", "last good state", str(out), "--learning-rate")
    assert all(np.isfinite(value).all() for value in load_file(out).values())


def test_photos_that_vanish_end_the_run_saved_and_it_goes_on_when_they_are_back(
    impasto_here: Command, painting: Path, photo_folder: Path, small: list[str], tmp_path: Path, refused: Refused
) -> None:
    photos, away, run = tmp_path / "photos", tmp_path / "away", tmp_path / "run"
    shutil.copytree(photo_folder, photos)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "impasto", "train", str(painting), "--photos", str(photos)),
            *("--run-dir", str(run), "--out", str(tmp_path / "s.safetensors"), *small, "--epochs", "4000"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not ((run / "losses.jsonl").exists() and len(losses(run)) > 4):
        time.sleep(0.05)
    photos.rename(away)
    _, errors = process.communicate(timeout=120)
    refused(subprocess.CompletedProcess([], process.returncode, "", errors), "cannot be read", "--resume")
    away.rename(photos)
    done = losses(run)[-1]["iteration"]
    again = impasto_here("train", "--resume", run, "--max-iterations", int(done) + 2)
    assert again.returncode == 0, again.stderr
    assert [entry["iteration"] for entry in losses(run)] == list(range(1, int(done) + 3))


def test_a_second_training_in_the_same_folder_is_refused(
    trained: Path, impasto_here: Command, tmp_path: Path, refused: Refused
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.parent / "run", run)
    with (run / "run.lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused(impasto_here("train", "--resume", run), "another training is running")
    assert len(losses(run)) == 6


@pytest.mark.parametrize("name", ["config.toml", "painting.png", "job.json"])
def test_resuming_with_a_flipped_bit_is_refused(
    name: str, trained: Path, impasto_here: Command, tmp_path: Path, refused: Refused
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.parent / "run", run)
    damaged = bytearray((run / name).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (run / name).write_bytes(damaged)
    refused(impasto_here("train", "--resume", run, "--epochs", "3"), str(run))
    assert len(losses(run)) == 6


def test_resuming_with_other_loss_weights_is_refused(
    impasto_here: Command, painting: Path, photo_folder: Path, loss_weights: Path, tmp_path: Path, refused: Refused
) -> None:
    run, weights = tmp_path / "run", tmp_path / "weights.safetensors"
    shutil.copy(loss_weights, weights)
    options = ("--loss-network", "squeezenet", "--max-iterations", "1", "--image-size", "32", "--style-size", "32")
    where = ("--loss-weights", weights, "--run-dir", run, "--out", tmp_path / "a.safetensors")
    assert impasto_here("train", painting, "--photos", photo_folder, *options, *where).returncode == 0
    weights.write_bytes(weights.read_bytes() + b" ")
    refused(impasto_here("train", "--resume", run, "--max-iterations", "2"), "other weights", str(weights))


def test_the_fine_marks_of_a_jpeg_are_in_what_is_learned(
    impasto_here: Command, photo_folder: Path, loss_weights: Path, tmp_path: Path
) -> None:
    marks = np.random.default_rng(0).integers(0, 256, (130, 200, 3), dtype=np.uint8)
    Image.fromarray(marks).save(tmp_path / "marks.jpg", quality=95)
    options = ("--loss-network", "squeezenet", "--max-iterations", "1", "--image-size", "32", "--style-size", "64")
    where = ("--loss-weights", loss_weights, "--run-dir", tmp_path / "run", "--out", tmp_path / "a.safetensors")
    assert impasto_here("train", tmp_path / "marks.jpg", "--photos", photo_folder, *options, *where).returncode == 0
    with Image.open(tmp_path / "marks.jpg") as whole, Image.open(tmp_path / "run" / "painting.png") as learned:
        expected = np.asarray(whole.convert("RGB").resize((64, 64), Image.Resampling.BICUBIC))
        np.testing.assert_array_equal(np.asarray(learned), expected)


def test_photos_smaller_than_the_pieces_of_the_recipe_do_not_grow(
    impasto_here: Command, painting: Path, photo_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ("--recipe", "quick", "--image-size", "64", "--style-size", "64", "--max-iterations", "1")
    where = ("--out", tmp_path / "a.safetensors", "--run-dir", run)
    done = impasto_here("train", painting, "--photos", photo_folder, *options, *where)
    assert done.returncode == 0, done.stderr
    config = tomllib.loads((run / "config.toml").read_text())
    assert (config["image_size"], config["start_size"]) == (64, 0)


@pytest.mark.parametrize(
    ("options", "drawn", "expected"),
    [
        ((), True, quick_batch("auto", "cpu")),
        (("--precision", "float32"), True, 1),
        (("--batch-size", "3"), True, 3),
        ((), False, 1),  # of photos there may be a single one
    ],
)
def test_quick_takes_as_many_photos_a_step_as_the_machine_is_fast_with(
    options: tuple[str, ...], drawn: bool, expected: int, impasto_here: Command, painting: Path, tmp_path: Path
) -> None:
    photo(1).save(tmp_path / "single.jpg")
    small = ("--image-size", "64", "--style-size", "64", "--start-size", "0", "--workers", "0", "--device", "cpu")
    command = ["train", painting, "--recipe", "quick", *small, *options, "--max-iterations", "1", "--run-dir", "run"]
    command += [] if drawn else ["--photos", tmp_path / "single.jpg"]
    done = impasto_here(*command, "--out", "mine.safetensors", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert tomllib.loads((tmp_path / "run" / "config.toml").read_text())["batch_size"] == expected


def test_two_pieces_a_step_only_where_bf16_is_native() -> None:
    native = choose_precision("auto", "cpu") == "bf16"
    assert quick_batch("bf16", "cpu") == quick_batch("auto", "cpu") == (2 if native else 1)
    assert quick_batch("float32", "cpu") == 1


BAD = {
    "no painting": (["--photos", "{photos}"], "which painting"),
    "painting missing": (["nowhere.jpg", "--photos", "{photos}"], "nowhere.jpg"),
    "painting no image": (["{text}", "--photos", "{photos}"], "notes.txt"),
    "photo folder missing": (["{painting}", "--photos", "{tmp}/nowhere"], "nowhere"),
    "photo folder empty": (["{painting}", "--photos", "{empty}"], "found 0 photos"),
    "too few photos": (["{painting}", "--photos", "{photos}", "--batch-size", "13"], "--batch-size"),
    "too many broken": (["{painting}", "--photos", "{broken}"], "cannot be read"),
    "recipe unknown": (["{painting}", "--photos", "{photos}", "--recipe", "soup"], "'soup'"),
    "name of the photo's own row": (["{painting}", "--name", "identity"], "add --name"),
    "name that cannot be printed": (["{painting}", "--name", "a\u202fb"], "cannot be printed"),
    "a network too large for a file": (
        ["{painting}", "--recipe", "quick", "--body", "classic", "--width", "256"],
        "MB",
    ),
    "far too strong": (["{painting}", "--style-strength", "2000"], "--style-strength"),
    "for ever": (["{painting}", "--max-minutes", "inf"], "--max-minutes"),
    "base unknown": (["{painting}", "--base", "soup"], "no base 'soup'"),
    "rows of another network": (["{painting}", "--recipe", "fit", "--width", "8"], "--recipe quick"),
    "rows from nothing": (["{painting}", "--recipe", "quick", "--learn", "rows"], "--start gallery"),
    "standalone of quick": (["{painting}", "--recipe", "quick", "--standalone"], "--standalone"),
    "identity weight": (["{painting}", "--identity-weight=-1"], "--identity-weight"),
    "epochs": (["{painting}", "--photos", "{photos}", "--epochs=-1"], "--epochs"),
    "fraction": (["{painting}", "--photos", "{photos}", "--fraction", "1.5"], "--fraction"),
    "choice": (["{painting}", "--photos", "{photos}", "--padding", "mirror"], "--padding"),
    "not a number": (["{painting}", "--photos", "{photos}", "--width", "wide"], "--width"),
    "unknown option": (["{painting}", "--photos", "{photos}", "--epoch", "3"], "--epoch"),
    "layer unknown": (["{painting}", "--photos", "{photos}", "--style-layers", "relu9_9", "{small}"], "relu9_9"),
    "out suffix": (["{painting}", "--photos", "{photos}", "--out", "style.pth"], ".safetensors"),
    "out exists": (["{painting}", "--photos", "{photos}", "--out", "{trained}"], "--overwrite"),
    "run folder in use": (["{painting}", "--photos", "{photos}", "--run-dir", "{run}", "{small}"], "--resume"),
    "config missing": (["{painting}", "--photos", "{photos}", "--config", "no.toml"], "no.toml"),
    "config broken": (["{painting}", "--photos", "{photos}", "--config", "{text}"], "TOML"),
    "config key": (
        ["{painting}", "--photos", "{photos}", "--config", "{wrong_key}"],
        "did you mean 'epochs'?",
    ),
    "config type": (["{painting}", "--photos", "{photos}", "--config", "{wrong_type}"], "wrong_type.toml: epochs is"),
    "weights missing": (["{painting}", "--photos", "{photos}", "--loss-weights", "no.h5"], "no.h5"),
    "weights foreign": (["{painting}", "--photos", "{photos}", "--loss-weights", "{trained}"], "vgg16"),
    "out is a folder": (["{painting}", "--photos", "{photos}", "--out", "{folder}"], "is a folder"),
    "out cannot be written": (["{painting}", "--photos", "{photos}", "--out", "{text}/s.safetensors"], "cannot write"),
    "run folder has other files": (["{painting}", "--photos", "{photos}", "--run-dir", "{broken}"], "not empty"),
    "device": (["{painting}", "--photos", "{photos}", "--device", "cuda", "{small}"], "--device cuda"),
    "resume nothing": (["--resume", "{empty}"], "job.json"),
    "resume into a file that exists": (["--resume", "{run}", "--out", "{trained}"], "--overwrite"),
    "resume into another folder": (["--resume", "{run}", "--run-dir", "{empty}"], "--run-dir"),
    "resume with painting": (["{painting}", "--resume", "{run}"], "PAINTING"),
    "resume with other numbers": (["--resume", "{run}", "--width", "8"], "width"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_line(
    case: str,
    impasto_here: Command,
    painting: Path,
    photo_folder: Path,
    small: list[str],
    trained: Path,
    tmp_path: Path,
    refused: Refused,
) -> None:
    for folder in ("empty", "broken", "folder.safetensors"):
        (tmp_path / folder).mkdir()
    for seed in range(8):
        photo(seed).save(tmp_path / "broken" / f"{seed}.png")
    (tmp_path / "broken" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "notes.txt").write_text("no = image = no toml")
    (tmp_path / "wrong_key.toml").write_text("epoch = 3")
    (tmp_path / "wrong_type.toml").write_text('epochs = "three"')
    names = {
        "painting": painting,
        "photos": photo_folder,
        "trained": trained,
        "run": trained.parent / "run",
        "tmp": tmp_path,
        "folder": tmp_path / "folder.safetensors",
        "text": tmp_path / "notes.txt",
        **{name: tmp_path / name for name in ("empty", "broken")},
        **{name: tmp_path / f"{name}.toml" for name in ("wrong_key", "wrong_type")},
    }
    before = trained.read_bytes()
    given, words = BAD[case]
    arguments = [part for a in given for part in (small if a == "{small}" else [a.format_map(names)])]
    line = refused(impasto_here("train", *arguments, cwd=tmp_path), words)
    assert len(line) < 600
    assert trained.read_bytes() == before
    assert not (tmp_path / "runs").exists()
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["folder.safetensors"]


@pytest.mark.parametrize(
    ("name", "options", "recipe", "start"),
    [
        ("file", ("--width", "8", "--blocks", "1"), "quick", "has another shape: beginning at random"),
        ("file", ("--recipe", "quick"), "quick", "beginning with the trained network"),
        ("flow_field", (), "fit", "beginning with the trained network"),
    ],
)
def test_a_painting_alone_is_enough(
    name: str,
    options: tuple[str, ...],
    recipe: str,
    start: str,
    impasto: Command,
    impasto_here: Command,
    painting: Path,
    tmp_path: Path,
) -> None:
    run = impasto if recipe == "fit" else impasto_here  # what most will do goes by a process of its own
    nothing = {key: str(tmp_path / "nothing") for key in ("IMPASTO_CACHE", "TORCH_HOME", "KERAS_HOME")}
    done = run(
        *("train", painting if name == "file" else name, "--out", "mine.safetensors", "--run-dir", "run"),
        *("--image-size", "64", "--start-size", "0", "--max-iterations", "3", "--workers", "0", *options),
        cwd=tmp_path,
        IMPASTO_WEIGHTS_URL="http://127.0.0.1:9/",
        **nothing,
    )
    assert done.returncode == 0, done.stderr
    assert "--recipe" in options or f"recipe {recipe}, since" in done.stdout
    assert "draws images" in done.stdout
    assert start in " ".join(done.stdout.split())
    style = style_file.load(tmp_path / "mine.safetensors")
    assert (style.network.body, style.provenance["recipe"], style.provenance["iterations"]) == ("turbo", recipe, 3)
    assert style.provenance["options"]["loss_network"] == "pocket"
    assert list((tmp_path / "run" / "previews").iterdir())


# --- Fitting on the network of the bundled styles ---


def test_what_a_fit_wrote_down_is_a_fit_again() -> None:
    assert usual_recipe(given=flatten(make_config(RECIPES["fit"])))[0] == "fit"
    assert usual_recipe(given=flatten(make_config(RECIPES["quick"])))[0] != "fit"


FEW_STEPS = ("--image-size", "64", "--start-size", "0", "--max-iterations", "4", "--workers", "0", "--ema", "0")


@pytest.mark.parametrize(("base", "largest"), [("turbo", 14_000), ("classic", 21_000)])
def test_fitting_changes_rows_alone_and_writes_them_alone(
    base: str, largest: int, impasto_here: Command, painting: Path, tmp_path: Path
) -> None:
    done = impasto_here("train", painting, "--base", base, "--out", "mine.safetensors", *FEW_STEPS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "mine.safetensors"
    assert path.stat().st_size < largest
    rows, whole, theirs = style_file.load(path), gallery.load(path), style_file.load(gallery.path_of(base))
    assert rows.base is not None
    assert (rows.base.name, rows.names, whole.names) == (base, (painting.stem,), (painting.stem, *theirs.names))
    for name, value in theirs.tensors.items():
        ours = whole.tensors[name][1:] if gallery.is_row(name) else whole.tensors[name]
        np.testing.assert_array_equal(ours, value)
    first = whole.tensors["down.0.norm.offset"][0]
    nearest = np.abs(theirs.tensors["down.0.norm.offset"] - first).max(axis=1).min()
    assert 1e-5 < nearest < 0.1  # four steps of learning away from the row that it began with
    photo(8).save(tmp_path / "p.png")
    for options in (
        ("--style", path),
        ("--mix", f"{path}=1,{painting_of(base)}=2"),
        ("--style", path, "--strength", 0.5),
    ):
        done = impasto_here("stylize", "p.png", *options, "--out", "o.png", "--overwrite", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert impasto_here("inspect", path).returncode == 0


def painting_of(base: str) -> str:
    return "udnie" + gallery.ENDINGS[base]


def test_a_painting_of_any_file_name_becomes_a_style_that_loads(
    impasto_here: Command, painting: Path, tmp_path: Path
) -> None:
    named, here = tmp_path / f"Screenshot at 3.04\u202fPM{painting.suffix}", tmp_path / "here"
    named.write_bytes(painting.read_bytes())
    here.mkdir()
    done = impasto_here("train", named, "--out", "../mine.safetensors", "--run-dir", ".", *FEW_STEPS, cwd=here)
    assert done.returncode == 0, done.stderr
    assert style_file.load(tmp_path / "mine.safetensors").names == ("Screenshot at 3.04 PM",)
    assert (here / "job.json").exists()


def test_standalone_writes_the_whole_network(impasto_here: Command, painting: Path, tmp_path: Path) -> None:
    done = impasto_here("train", painting, "--standalone", "--out", "mine.safetensors", *FEW_STEPS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    style = style_file.load(tmp_path / "mine.safetensors")
    theirs = style_file.load(gallery.path_of("turbo"))
    assert style.base is None
    assert style.names == (painting.stem, "identity")
    np.testing.assert_array_equal(style.tensors["head.full.weight"], theirs.tensors["head.full.weight"])
    for name in filter(gallery.is_row, style.tensors):
        np.testing.assert_array_equal(style.tensors[name][1], theirs.tensors[name][-1])


def test_all_changes_the_whole_network(impasto_here: Command, painting: Path, tmp_path: Path) -> None:
    done = impasto_here("train", painting, "--all", "--out", "mine.safetensors", *FEW_STEPS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    style = style_file.load(tmp_path / "mine.safetensors")
    theirs = style_file.load(gallery.path_of("turbo"))
    assert style.base is None
    changed = {name for name, value in style.tensors.items() if not np.array_equal(value, theirs.tensors[name][:2])}
    assert {"head.full.weight", "down.0.conv.weight", "blocks.0.first.norm.scale"} <= changed


@pytest.mark.slow
def test_a_fit_that_was_stopped_goes_on_to_the_same_rows(impasto_here: Command, painting: Path, tmp_path: Path) -> None:
    steady = ("--schedule", "constant", "--warm-up", "0", "--max-minutes", "0", "--image-size", "64")
    common = ("train", painting, *steady, "--start-size", "0", "--workers", "0", "--max-iterations")
    assert impasto_here(*common, 4, "--out", "a.safetensors", cwd=tmp_path).returncode == 0
    first = impasto_here(*common, 2, "--out", "b.safetensors", "--run-dir", "r", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    early = style_file.load(tmp_path / "b.safetensors")
    more = impasto_here("train", "--resume", "r", "--max-iterations", "4", cwd=tmp_path)
    assert more.returncode == 0, more.stderr
    found, expected = (style_file.load(tmp_path / name) for name in ("b.safetensors", "a.safetensors"))
    assert found.base == expected.base
    for name, value in expected.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], value)
    assert any(not np.array_equal(early.tensors[name], value) for name, value in expected.tensors.items())


def test_weights_at_hand_choose_the_original_recipe(trained: Path) -> None:
    assert style_file.load(trained).provenance["recipe"] == "classic"  # --loss-weights was given, and no recipe


def test_without_weights_and_network_it_says_what_to_fetch_and_where_to_put_it(
    impasto: Command, painting: Path, photo_folder: Path, tmp_path: Path, refused: Refused
) -> None:
    done = impasto(
        *("train", painting, "--photos", photo_folder, "--recipe", "classic"),
        cwd=tmp_path,
        IMPASTO_CACHE=str(tmp_path / "cache"),
        TORCH_HOME=str(tmp_path / "torch"),
        KERAS_HOME=str(tmp_path / "keras"),
        IMPASTO_WEIGHTS_URL="http://127.0.0.1:9/",
    )
    line = refused(done, "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "127.0.0.1:9", "MB")
    assert str(tmp_path / "cache") in line
