"""The command line: one file a subcommand, each thin over `impasto.workflows`."""

from __future__ import annotations

import io
import signal
import sys
import warnings
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from impasto.cli.progress import console, error_console
from impasto.errors import ImpastoError
from impasto.version import __version__

COMMANDS = {
    "studio": "Open the studio: everything in a web page.",
    "demo": "Repaint sample photos with the bundled styles, then with one that it trains.",
    "stylize": "Repaint photos with a style.",
    "video": "Repaint a video, with its sound.",
    "webcam": "Repaint what a camera sees, live.",
    "styles": "List the bundled styles and paintings.",
    "train": "Train a painting into a style file.",
    "export": "Write a style as an ONNX or OpenVINO model.",
    "doctor": "Show what this machine repaints with, and why.",
    "bench": "Measure frames a second on this machine.",
    "evaluate": "Measure styles against optimization from scratch.",
    "optimize": "Repaint one photo by optimization: minutes instead of a moment, no training.",
    "inspect": "Show what a style file holds, and its network's layers and graph.",
    "weights": "List, download and verify the weights of loss networks.",
    "data": "Download photos to train with.",
}

EXTRAS = {
    **dict.fromkeys(("torch", "lightning_fabric", "matplotlib", "skimage", "tomli_w", "h5py"), "train"),
    **dict.fromkeys(("onnx", "onnxruntime"), "onnx"),
    "pyvips": "huge",
    "pyarrow": "cluster",
    "fsspec": "cluster",
    "ray": "cluster",
    **{name: name for name in ("tensorboard", "wandb", "trackio")},
    "av": "video",
    "cv2": "webcam",
    **dict.fromkeys(("gradio", "fastapi", "uvicorn", "starlette", "python_multipart", "h11"), "studio"),
}
"""What a missing package comes with."""

app = App(
    name="impasto",
    help="Train a painting into a network, and repaint any photo with it.",
    version=__version__,
    console=console,
    error_console=error_console,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
    exit_on_error=False,
    print_error=False,
)
for name, text in COMMANDS.items():
    # Imported only when called, so that `impasto stylize` does not wait for what training needs.
    app.command(f"impasto.cli.{name}:{name}", name=name, help=text)


def main() -> None:
    """Runs the command line; exit codes: 0 done, 2 bad input, 130 stopped by Ctrl-C."""
    warnings.showwarning = show_warning
    signal.signal(signal.SIGTERM, _terminated)  # so that temporary files go
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may be anything
    try:
        app(sys.argv[1:])
    except ImpastoError as error:
        fail(str(error), 2)
    except CycloptsError as error:
        fail(" ".join(str(error).split()), 2)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}", 2)
    except ImportError as error:
        if (extra := missing_extra(error)) is None:
            raise
        fail(f"this command needs {extra[0]}, which is not installed: pip install 'impasto[{extra[1]}]'", 2)
    except KeyboardInterrupt as error:
        fail(str(error) or "stopped", 130)


def _terminated(*_: object) -> None:
    raise KeyboardInterrupt("stopped by the system")


def missing_extra(error: BaseException | None) -> tuple[str, str] | None:
    """The package that an import lacks and the extra that brings it, where it is one of those."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
            return error.name, EXTRAS[error.name]
        error = error.__cause__ or error.__context__
    return None


def show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Prints what a user should know on one line of stderr, and nothing of what only developers do."""
    if issubclass(category, UserWarning):
        error_console.print(f"impasto: {message}")


def fail(message: str, code: int) -> None:
    """Prints one line on stderr and leaves."""
    error_console.print(f"impasto: {message}", style="red" if error_console.is_terminal else None)
    sys.exit(code)
