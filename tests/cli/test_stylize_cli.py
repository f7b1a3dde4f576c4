"""`impasto stylize`, `styles`, `demo` as a user meets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from support import Command, photo

Refused = Callable[..., str]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "ein Föto.png"
    photo(1, 61, 43).save(path)
    return path


def test_the_result_has_the_photos_size_to_the_pixel(
    impasto: Command, trained: Path, picture: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new folder" / "painted.png"
    done = impasto("stylize", picture, "--style", trained, "--out", out)
    assert done.returncode == 0, done.stderr
    with Image.open(out) as painted, Image.open(picture) as original:
        assert painted.size == original.size == (61, 43)
        assert np.abs(np.asarray(painted).astype(int) - np.asarray(original)).mean() > 2
    assert [path.name for path in out.parent.iterdir()] == ["painted.png"]


def test_compare_and_size(impasto_here: Command, trained: Path, picture: Path, tmp_path: Path) -> None:
    done = impasto_here("stylize", picture, "--style", trained, "--out", tmp_path / "o.png", "--compare", "--size", 122)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "o.png") as both:
        assert both.size == (122 + 4 + 122, 86)


def test_rotation_profile_and_alpha_are_kept(impasto: Command, trained: Path, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(3, 60, 40).save(tmp_path / "turned.jpg", exif=exif, icc_profile=profile)
    see_through = photo(4, 40, 40)
    see_through.putalpha(Image.linear_gradient("L").resize((40, 40)))
    see_through.save(tmp_path / "alpha.png")
    done = impasto(
        "stylize", tmp_path / "turned.jpg", tmp_path / "alpha.png", "--style", trained, "--out", tmp_path / "o"
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "o" / "turned.jpg") as turned:
        assert turned.size == (40, 60)
        assert turned.info["icc_profile"] == profile
        assert turned.getexif().get(0x0112, 1) == 1
    with Image.open(tmp_path / "o" / "alpha.png") as painted:
        assert painted.mode == "RGBA"
        assert np.array_equal(np.asarray(painted)[..., 3], np.asarray(see_through)[..., 3])


def test_sixteen_bits_stay_sixteen(impasto_here: Command, trained: Path, tmp_path: Path) -> None:
    deep = (np.mgrid[0:40, 0:50][1][..., None] * np.array([1300, 700, 333])).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    done = impasto_here("stylize", tmp_path / "deep.png", "--style", trained, "--out", tmp_path / "o.png")
    assert done.returncode == 0, done.stderr
    painted = imagecodecs.png_decode((tmp_path / "o.png").read_bytes())
    assert painted.dtype == np.uint16
    assert painted.shape == (40, 50, 3)
    assert len(np.unique(painted % 257)) > 50  # more than 8 bits, repeated, would give


def test_a_folder_keeps_its_structure_and_names_what_is_broken(
    impasto: Command, trained: Path, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    photo(5).save(tmp_path / "in" / "deep" / "a.jpg")
    (tmp_path / "in" / "b.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    photo(6).save(tmp_path / "in" / "c.webp")
    done = impasto("stylize", tmp_path / "in", "--style", trained, "--out", tmp_path / "out")
    refused(done, "1 of 3 photos")
    assert "b.jpg" in done.stderr
    made = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert made == ["c.webp", "deep/a.jpg"]


# --- Strength, mixes, masks, colours, strokes ---


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)


def test_strength_0_gives_the_photo_back_and_more_takes_it_further(
    impasto_here: Command, picture: Path, tmp_path: Path
) -> None:
    original, distances = pixels_of(picture), []
    for strength in (0, 0.5, 1):
        done = impasto_here(
            *("stylize", picture, "--style", "great_wave-turbo", "--strength", strength),
            *("--out", tmp_path / f"{strength}.png"),
        )
        assert done.returncode == 0, done.stderr
        distances.append(np.sqrt(np.square(pixels_of(tmp_path / f"{strength}.png") - original).mean()))
    assert distances[0] < 255 / 10**1.5  # 30 dB
    assert distances[0] < 0.6 * distances[1] < 0.6 * distances[2]


def test_a_mix_lies_between_its_styles_and_names_the_weights(
    impasto_here: Command, picture: Path, tmp_path: Path
) -> None:
    results = {}
    for name, mix in {"a": "udnie-turbo=1", "b": "tableau-turbo=2", "ab": "udnie-turbo=1,tableau-turbo=1"}.items():
        done = impasto_here("stylize", picture, "--mix", mix, "--out", tmp_path / f"{name}.png")
        assert done.returncode == 0, done.stderr
        results[name] = pixels_of(tmp_path / f"{name}.png")
    apart = np.abs(results["a"] - results["b"]).mean()
    assert apart > 5
    assert 0 < np.abs(results["a"] - results["ab"]).mean() < apart
    assert 0 < np.abs(results["b"] - results["ab"]).mean() < apart
    plain = impasto_here("stylize", picture, "--style", "udnie-turbo", "--out", tmp_path / "plain.png")
    assert plain.returncode == 0
    np.testing.assert_array_equal(results["a"], pixels_of(tmp_path / "plain.png"))


@pytest.mark.parametrize("transparent", [False, True])
def test_a_mask_has_one_style_inside_and_another_outside(
    transparent: bool, impasto_here: Command, picture: Path, tmp_path: Path
) -> None:
    inside = np.zeros((86, 122), np.uint8)  # twice the size of the photo
    inside[:, 61:] = 255
    mask = Image.fromarray(inside)
    if transparent:
        mask = Image.new("RGB", mask.size, "black")
        mask.putalpha(Image.fromarray(inside))
    mask.save(tmp_path / "mask.png")
    common = ("stylize", picture, "--style", "udnie-turbo", "--mask", tmp_path / "mask.png")
    assert impasto_here(*common, "--out", tmp_path / "photo.png").returncode == 0
    assert impasto_here(*common, "--style-outside", "tableau-turbo", "--out", tmp_path / "both.png").returncode == 0
    for style in ("udnie-turbo", "tableau-turbo"):
        assert impasto_here("stylize", picture, "--style", style, "--out", tmp_path / f"{style}.png").returncode == 0
    left, right = np.s_[:, :25], np.s_[:, 36:]
    udnie, tableau = (pixels_of(tmp_path / f"{style}.png") for style in ("udnie-turbo", "tableau-turbo"))
    np.testing.assert_array_equal(pixels_of(tmp_path / "photo.png")[left], pixels_of(picture)[left])
    np.testing.assert_array_equal(pixels_of(tmp_path / "photo.png")[right], udnie[right])
    np.testing.assert_array_equal(pixels_of(tmp_path / "both.png")[left], tableau[left])
    np.testing.assert_array_equal(pixels_of(tmp_path / "both.png")[right], udnie[right])


def test_the_photos_colours_are_kept_in_two_ways(impasto_here: Command, picture: Path, tmp_path: Path) -> None:
    means = {}
    for option in ("--keep-colors", "--match-colors", ""):
        out = tmp_path / f"colors{option}.png"
        done = impasto_here("stylize", picture, "--style", "tableau-turbo", *filter(None, [option]), "--out", out)
        assert done.returncode == 0, done.stderr
        means[option] = pixels_of(out).mean(axis=(0, 1))
    original = pixels_of(picture).mean(axis=(0, 1))
    assert np.abs(means["--match-colors"] - original).max() < 4
    spread = {option: np.ptp(mean - original) for option, mean in means.items()}
    assert spread["--keep-colors"] < spread[""]


def test_strokes_of_another_size(impasto_here: Command, picture: Path, tmp_path: Path) -> None:
    for stroke in (0.5, 1, 2):
        out = tmp_path / f"{stroke}.png"
        done = impasto_here("stylize", picture, "--style", "udnie-turbo", "--stroke", stroke, "--out", out)
        assert done.returncode == 0, done.stderr
        assert pixels_of(out).shape == pixels_of(picture).shape
    detail = [np.abs(np.diff(pixels_of(tmp_path / f"{stroke}.png"), axis=1)).mean() for stroke in (1, 2)]
    assert detail[1] < detail[0]


BAD = {
    "style and mix": (["{picture}", "--style", "udnie", "--mix", "udnie=1", "--out", "o.png"], "--mix"),
    "mix without weights": (["{picture}", "--mix", "udnie", "--out", "o.png"], "great_wave=0.6"),
    "mix with a negative weight": (["{picture}", "--mix", "udnie=-1", "--out", "o.png"], "great_wave=0.6"),
    "mix of nothing": (["{picture}", "--mix", "udnie=0", "--out", "o.png"], "above 0"),
    "mix of two networks": (["{picture}", "--mix", "udnie=1,tableau-turbo=1", "--out", "o.png"], "one network"),
    "mix with an unknown style": (["{picture}", "--mix", "udnie=1,nix=1", "--out", "o.png"], "'nix'"),
    "strength": (["{picture}", "--style", "udnie", "--strength", "2", "--out", "o.png"], "strength is 2"),
    "stroke": (["{picture}", "--style", "udnie", "--stroke", "9", "--out", "o.png"], "stroke is 9"),
    "outside without a mask": (["{picture}", "--style", "udnie", "--style-outside", "tableau", "--out", "o"], "mask"),
    "mask missing": (["{picture}", "--style", "udnie", "--mask", "no.png", "--out", "o.png"], "no.png"),
    "mask of another shape": (["{picture}", "--style", "udnie", "--mask", "{other}", "--out", "o.png"], "the mask is"),
    "two ways of colours": (
        ["{picture}", "--style", "udnie", "--keep-colors", "--match-colors", "--out", "o.png"],
        "name one",
    ),
    "no photo": (["--style", "{style}", "--out", "o.png"], "which photo"),
    "photo missing": (["no.jpg", "--style", "{style}", "--out", "o.png"], "no.jpg"),
    "photo is text": (["{text}", "--style", "{style}", "--out", "o.png"], "notes.txt"),
    "folder empty": (["{empty}", "--style", "{style}", "--out", "o"], "no photos"),
    "style unknown": (["{picture}", "--style", "mona_lisa", "--out", "o.png"], "mona_lisa"),
    "style is text": (["{picture}", "--style", "{text}", "--out", "o.png"], "notes.txt"),
    "style truncated": (["{picture}", "--style", "{truncated}", "--out", "o.png"], "cut.safetensors"),
    "style of another version": (["{picture}", "--style", "{newer}", "--out", "o.png"], "version 99"),
    "out mistyped": (["{picture}", "--style", "{style}", "--out", "o.jpgg"], ".jpgg"),
    "out name too long": (["{picture}", "--style", "{style}", "--out", "o" * 300 + ".png"], "name"),
    "style is a folder": (["{picture}", "--style", "{empty}", "--out", "o.png"], "folder"),
    "style is a loss network": (["{picture}", "--style", "{weights}", "--out", "o.png"], "not a style file"),
    "out is the photo": (["{picture}", "--style", "{style}", "--out", "{picture}"], "the photo itself"),
    "out exists": (["{picture}", "--style", "{style}", "--out", "{other}"], "--overwrite"),
    "out unknown suffix": (["{picture}", "--style", "{style}", "--out", "{text}"], ".txt is not known"),
    "many to one": (["{picture}", "{other}", "--style", "{style}", "--out", "o.png"], "folder"),
    "size": (["{picture}", "--style", "{style}", "--out", "o.png", "--size", "0"], "--size"),
    "quality": (["{picture}", "--style", "{style}", "--out", "o.jpg", "--quality", "200"], "quality"),
    "which": (["{picture}", "--style", "{style}", "--out", "o.png", "--which", "blue"], "'blue'"),
    "device": (["{picture}", "--style", "{style}", "--out", "o.png", "--device", "abacus"], "abacus"),
    "backend": (["{picture}", "--style", "{style}", "--out", "o.png", "--backend", "abacus"], "abacus"),
    "precision": (["{picture}", "--backend", "torch", "--precision", "bf16", "--out", "o.png"], "--precision float32"),
    "memory": (["{picture}", "--style", "{style}", "--out", "o.png", "--max-memory", "2 furlongs"], "furlongs"),
    "memory too small": (["{picture}", "--style", "{style}", "--out", "o.png", "--max-memory", "1MB"], "--max-memory"),
    "pattern without a match": (["*.webp", "--style", "{style}", "--out", "o"], "no photos match *.webp"),
    "address without a cluster": (["s3://bucket/photos", "--style", "{style}", "--out", "o"], "--cluster"),
    "resume and overwrite": (["{picture}", "--resume", "--overwrite"], "name one"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_line(
    case: str, impasto_here: Command, trained: Path, loss_weights: Path, picture: Path, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no image")
    photo(9).save(tmp_path / "other.png")
    (tmp_path / "cut.safetensors").write_bytes(trained.read_bytes()[:-1000])
    newer = trained.read_bytes().replace(rb"\"version\": 1", rb"\"version\":99")
    (tmp_path / "newer.safetensors").write_bytes(newer)
    names = {
        "newer": tmp_path / "newer.safetensors",
        "style": trained,
        "picture": picture,
        "weights": loss_weights,
        "text": tmp_path / "notes.txt",
        "other": tmp_path / "other.png",
        "empty": tmp_path / "empty",
        "truncated": tmp_path / "cut.safetensors",
    }
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    given, words = BAD[case]
    refused(impasto_here("stylize", *(part.format_map(names) for part in given), cwd=tmp_path), words)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_importing_impasto_loads_nothing_heavy(impasto: Command) -> None:
    import subprocess
    import sys

    code = "import sys, impasto; print([m for m in ('torch', 'numpy', 'PIL', 'cyclopts') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- Many photos ---


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for number in range(12):
        folder = tmp_path / "in" / ("deep" if number % 2 else ".")
        folder.mkdir(parents=True, exist_ok=True)
        photo(number).save(folder / f"photo {number}.jpg")
    return tmp_path


def made(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_one_command_needs_neither_style_nor_out(impasto: Command, picture: Path, tmp_path: Path) -> None:
    done = impasto("stylize", picture)
    assert done.returncode == 0, done.stderr
    assert pixels_of(tmp_path / "ein Föto-great_wave.png").shape == pixels_of(picture).shape
    again = impasto("stylize", picture)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    photo(3).save(tmp_path / "other.png")
    done = impasto("stylize", picture, tmp_path / "other.png", "--style", "udnie-turbo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert made(tmp_path / "painted") == ["ein Föto.png", "other.png"]


def test_a_pattern_keeps_the_folders_below_it(impasto_here: Command, trained: Path, many: Path) -> None:
    done = impasto_here("stylize", "in/**/photo*[02468].jpg", "--style", trained, "--out", "out", cwd=many)
    assert done.returncode == 0, done.stderr
    assert made(many / "out") == [f"photo {number}.jpg" for number in (0, 10, 2, 4, 6, 8)]
    done = impasto_here("stylize", "in/**/*.jpg", "--style", trained, "--out", "all", cwd=many)
    assert done.returncode == 0, done.stderr
    assert made(many / "all") == made(many / "in")


def test_resume_leaves_out_what_is_done(impasto_here: Command, trained: Path, many: Path) -> None:
    common = ("stylize", "in", "--style", trained, "--out", "out")
    (many / "out" / "deep").mkdir(parents=True)
    (many / "out" / "photo 0.jpg").write_bytes(b"done")
    (many / "out" / "deep" / "photo 1.jpg").write_bytes(b"done")
    done = impasto_here(*common, "--resume", cwd=many)
    assert done.returncode == 0, done.stderr
    assert "2 of 12 photos are done already" in done.stdout
    assert "10 of 10 photos" in done.stdout
    assert made(many / "out") == made(many / "in")
    assert (many / "out" / "photo 0.jpg").read_bytes() == b"done"
    done = impasto_here(*common, "--resume", cwd=many)
    assert done.returncode == 0
    assert "12 of 12 photos are done already" in done.stdout


def test_ctrl_c_leaves_whole_files_and_resume_goes_on(trained: Path, tmp_path: Path) -> None:
    import os
    import signal
    import subprocess
    import sys
    import time

    (tmp_path / "in").mkdir()
    for number in range(120):
        photo(number, 300, 200).save(tmp_path / "in" / f"{number:03}.png")
    command = [sys.executable, "-m", "impasto", "stylize", "in", "--style", str(trained), "--out", "out"]
    env = {**os.environ, "IMPASTO_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 60
        while not list((tmp_path / "out").glob("00*.png")) and time.monotonic() < deadline:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, (running.returncode, errors)
    assert "Traceback" not in errors
    written = list((tmp_path / "out").iterdir())
    assert 0 < len(written) < 120
    for path in written:
        assert pixels_of(path).shape == (200, 300, 3)
    done = subprocess.run([*command, "--resume"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 120


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime", "torch"])
def test_every_backend_paints_the_same(
    impasto_here: Command, trained: Path, picture: Path, backend: str, tmp_path: Path
) -> None:
    results = []
    for name in ("torch", backend):
        out = tmp_path / f"{name}.png"
        common = ("--style", trained, "--out", out, "--overwrite", "--precision", "float32")
        done = impasto_here("stylize", picture, "--backend", name, *common)
        assert done.returncode == 0, done.stderr
        results.append(pixels_of(out))
    assert np.abs(results[0] - results[1]).max() <= 1


# --- Pictures beyond the memory ---


def test_a_photo_beyond_the_memory_is_painted_in_strips(impasto: Command, tmp_path: Path) -> None:
    photo(1, 1600, 1280).save(tmp_path / "large.png")
    common = ("stylize", "large.png", "--style", "udnie-turbo", "--stroke", "0.59", "--precision", "float32")
    whole = impasto(*common, "--out", "whole.png", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    strips = impasto(*common, "--out", "strips.png", "--max-memory", "250MB", cwd=tmp_path)
    assert strips.returncode == 0, strips.stderr
    difference = pixels_of(tmp_path / "whole.png") - pixels_of(tmp_path / "strips.png")
    assert 10 * np.log10(255**2 / np.mean(difference**2)) > 50
    assert made(tmp_path) == ["large.png", "strips.png", "whole.png"]


# --- Without PyTorch ---

ABSENT = (
    "torch",
    "lightning_fabric",
    "matplotlib",
    "skimage",
    "h5py",
    "tomli_w",
    "onnx",
    "onnxruntime",
    "pyvips",
    "ray",
)


@pytest.fixture(scope="module")
def without_torch(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command line where nothing but what repainting needs is installed."""
    import os
    import subprocess
    import sys
    import sysconfig

    import impasto

    farm = tmp_path_factory.mktemp("packages")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(ABSENT):
            (farm / entry.name).symlink_to(entry)
    source = Path(impasto.__file__).parents[1]

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": f"{farm}{os.pathsep}{source}", "IMPASTO_CACHE": str(farm.parent / "cache")}
        command = [sys.executable, "-S", "-m", "impasto", *map(str, arguments)]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)

    return run


def test_repainting_needs_no_torch(without_torch: Command, trained: Path, picture: Path, tmp_path: Path) -> None:
    for style in ("great_wave", "udnie-turbo", trained):
        out = tmp_path / f"{Path(style).stem}.png"
        done = without_torch("stylize", picture, "--style", style, "--out", out)
        assert done.returncode == 0, done.stderr
        assert pixels_of(out).shape == pixels_of(picture).shape
    for command in (("styles",), ("doctor",), ("weights",)):
        assert without_torch(*command).returncode == 0
    assert without_torch("export", "udnie-turbo", "--openvino", tmp_path / "ir").returncode == 0


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        (("inspect", "great_wave"), "torch", "train"),
        (("evaluate", "udnie", "--painting", "a.jpg", "--photos", "b"), "torch", "train"),
        (("stylize", "{picture}", "--backend", "torch", "--out", "{picture}.jpg"), "torch", "train"),
        (("export", "udnie", "--onnx", "{picture}.onnx"), "ONNX", "onnx"),
        (("demo", "{picture}.d"), "sample photos", "train"),
    ],
)
def test_what_needs_more_names_the_extra(
    without_torch: Command, command: tuple[str, ...], package: str, extra: str, picture: Path, refused: Refused
) -> None:
    done = without_torch(*(part.format(picture=picture) for part in command))
    refused(done, package, f"pip install 'impasto[{extra}]'")


# --- What a shell and a system do ---


def test_results_of_before_are_no_photos(impasto_here: Command, trained: Path, tmp_path: Path) -> None:
    photo(1).save(tmp_path / "a.jpg")
    photo(2).save(tmp_path / "b.jpg")
    for _ in range(2):
        done = impasto_here("stylize", ".", "--style", trained, "--resume", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert made(tmp_path) == ["a.jpg", "b.jpg", "painted/a.jpg", "painted/b.jpg"]


def test_photos_in_the_folder_of_the_results_are_photos_if_they_are_asked_for(
    impasto: Command, trained: Path, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "painted").mkdir()
    photo(1).save(tmp_path / "painted" / "a.png")
    before = (tmp_path / "painted" / "a.png").read_bytes()
    refused(impasto("stylize", "painted", "--style", trained, cwd=tmp_path), "the photo itself")
    assert (tmp_path / "painted" / "a.png").read_bytes() == before


def test_an_empty_name_is_not_the_current_folder(impasto: Command, picture: Path, refused: Refused) -> None:
    refused(impasto("stylize", "", cwd=picture.parent), "empty name")
    assert made(picture.parent) == [picture.name]


def test_a_broken_package_is_passed_over_and_doctor_says_so(impasto: Command, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "fake" / "openvino").mkdir(parents=True)
    (tmp_path / "fake" / "openvino" / "__init__.py").write_text("raise ImportError('libtbb.so.12: cannot open')")
    doctor = impasto("doctor", "--json", PYTHONPATH=str(tmp_path / "fake"))
    assert doctor.returncode == 0, doctor.stderr
    assert "libtbb" in doctor.stdout
    done = impasto("stylize", picture, "--out", tmp_path / "o.png", PYTHONPATH=str(tmp_path / "fake"))
    assert done.returncode == 0, done.stderr
    assert pixels_of(tmp_path / "o.png").shape == pixels_of(picture).shape


def test_a_folder_for_several_photos_may_have_a_dot_in_its_name(impasto_here: Command, tmp_path: Path) -> None:
    for seed in (1, 2):
        photo(seed).save(tmp_path / f"{seed}.png")
    done = impasto_here("stylize", "1.png", "2.png", "--out", "results.2024", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "results.2024").iterdir()) == ["1.png", "2.png"]
