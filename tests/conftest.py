"""Small photos, a small loss network and the real command line, for all tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from support import Command, photo


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
            env={**os.environ, "IMPASTO_CACHE": str(cache), "OMP_NUM_THREADS": "1", **env},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture
def impasto_here(cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The same in this process, which has loaded torch already: seconds less where the process is not what counts."""
    import torch

    from impasto import cli

    def run(*arguments: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        code, threads, on_sigterm = 0, torch.get_num_threads(), signal.getsignal(signal.SIGTERM)
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["impasto", *map(str, arguments)])
            for name, value in {"IMPASTO_CACHE": str(cache), **env}.items():
                patch.setenv(name, value)
            if cwd is not None:
                patch.chdir(cwd)
            torch.set_num_threads(1)
            try:
                cli.main()
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                torch.set_num_threads(threads)
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


@pytest.fixture(scope="session")
def faults_tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[str]]]:
    """What became of a training under the faults that are tried each time: a minute's work of other processes."""
    import faults

    folder = tmp_path_factory.mktemp("faults") / "all"
    env = dict(os.environ)  # tests change it
    with ThreadPoolExecutor(1) as pool:
        harness = pool.submit(faults.Harness, folder, steps=30, env=env)
        yield {
            "killed": pool.submit(lambda: faults.killed(harness.result(), kills=2)),
            "disk full": pool.submit(lambda: faults.disk_full(harness.result())),
            "rank dies": pool.submit(lambda: faults.rank_dies(harness.result())),
        }
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session", autouse=True)
def _faults_begin_first(request: pytest.FixtureRequest) -> None:
    """They need one core, as nearly all other tests do: so they begin with the session, and end in time."""
    if any("faults_tried" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("faults_tried")
