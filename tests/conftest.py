"""Small photos, a small loss network and the real command line, for all tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from support import Command, photo

# Threads cost more than they win on pictures this small, and tests and what they start run beside each other.
# Here, since PyTorch reads it once.
os.environ["OMP_NUM_THREADS"] = "1"

# How long an example takes says more about the machine than about what is tested.
hypothesis.settings.register_profile("impasto", deadline=None)
hypothesis.settings.load_profile("impasto")


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small photos, some in a folder below, under a name with a space and an umlaut."""
    folder = tmp_path_factory.mktemp("data") / "meine Fötos"
    (folder / "more").mkdir(parents=True)
    for seed in range(12):
        photo(seed).save(folder / ("more" if seed % 3 == 0 else ".") / f"photo {seed}.{'png' if seed % 2 else 'jpg'}")
    return folder


@pytest.fixture(scope="session")
def painting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("paintings") / "a painting.png"
    photo(100, 90, 60).save(path)
    return path


@pytest.fixture(scope="session")
def loss_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SqueezeNet of random weights, as a file that names its normalization."""
    import safetensors.torch
    import torch

    from impasto.core import loss_network

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "squeezenet.safetensors"
    state = loss_network.squeezenet().state_dict()
    safetensors.torch.save_file(state, path, {"normalization": "caffe-rounded"})
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def impasto(cache: Path) -> Command:
    """Runs the real command line: ``impasto("stylize", "a.jpg", …, cwd=folder)``."""

    def run(*arguments: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "impasto", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "IMPASTO_CACHE": str(cache), **env},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture
def impasto_here(cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The same in this process, which has loaded torch already: seconds less where the process is not what counts."""
    from impasto import cli

    def run(*arguments: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        code, on_sigterm = 0, signal.getsignal(signal.SIGTERM)
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["impasto", *map(str, arguments)])
            for name, value in {"IMPASTO_CACHE": str(cache), **env}.items():
                patch.setenv(name, value)
            if cwd is not None:
                patch.chdir(cwd)
            try:
                cli.main()
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                signal.signal(signal.SIGTERM, on_sigterm)
        return subprocess.CompletedProcess(list(arguments), code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def refused() -> Callable[..., str]:
    """Checks that a command ended with exit code 2 and one clear line, and returns the line."""

    def check(done: subprocess.CompletedProcess[str], *words: str) -> str:
        assert done.returncode == 2, done.stderr + done.stdout
        lines = done.stderr.strip().splitlines()
        assert lines
        assert "Traceback" not in done.stderr
        assert lines[-1].startswith("impasto: ")
        for word in words:
            assert word in lines[-1], lines[-1]
        return lines[-1]

    return check


@pytest.fixture(scope="session")
def small(loss_weights: Path) -> list[str]:
    """Options of a training that takes a second."""
    return [
        *("--loss-network", "squeezenet", "--loss-weights", str(loss_weights)),
        *("--width", "4", "--blocks", "1", "--image-size", "48", "--style-size", "48", "--workers", "0"),
        *("--precision", "float32", "--balanced"),
    ]


@pytest.fixture(scope="session")
def trained(
    impasto: Command, painting: Path, photo_folder: Path, small: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A style file, made by the real command line; its run folder is `run` beside it."""
    folder = tmp_path_factory.mktemp("trained")
    out = folder / "a style.safetensors"
    arguments = ["train", painting, "--photos", photo_folder, "--out", out, "--run-dir", folder / "run", *small]
    done = impasto(*arguments, "--plot-every", "2")
    assert done.returncode == 0, done.stderr + done.stdout
    return out
