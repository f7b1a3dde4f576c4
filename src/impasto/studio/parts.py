"""The page's own parts: HTML and JavaScript of ours in Gradio's HTML component."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from gradio.processing_utils import get_upload_folder

from impasto.errors import ImpastoError
from impasto.studio.naming import file_name

ADDRESS = "gradio_api/file="
IMAGES = "image/*,.tif,.tiff"
CLIPS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".3gp", ".ts")


def web(name: str) -> str:
    """The text of a file in `web/`."""
    return resources.files("impasto.studio").joinpath("web", name).read_text("utf-8")


def part(name: str, value: Any = None, *, calls: list[Callable[..., Any]] | None = None, **options: Any) -> gr.HTML:
    """The part whose markup is `web/NAME.html` and whose script is `web/NAME.js`.

    Its value goes both ways as JSON: the script reads and sets `props.value`, and tells with `trigger(EVENT)`.

    Args:
        calls: functions that the script may call as `server.FUNCTION(...)`.
    """
    return gr.HTML(
        value,
        html_template=web(f"{name}.html"),
        js_on_load=web(f"{name}.js"),
        server_functions=calls,
        apply_default_css=False,
        elem_id=options.pop("elem_id", name),
        **options,
    )


def choices(of: list[tuple[str, str]], **options: Any) -> gr.Dropdown:
    """A list to choose from, of titles and values, which changes while the page is open.

    Gradio takes only what is in the list, and knows how a page's list has changed only as long as it remembers that
    page; whether what was chosen exists is for whoever looks for it to say.
    """
    made = gr.Dropdown(of, filterable=False, **options)
    made.preprocess = lambda payload: payload if isinstance(payload, str) else ""
    return made


def drop(title: str, hint: str, elem_id: str, *, accept: str = IMAGES, most: int = 1) -> gr.HTML:
    """A place to drop up to `most` files; :func:`dropped` reads its value, and its event is `files`."""
    value = {"title": title, "hint": hint, "accept": accept, "multiple": most > 1, "most": most}
    return part("drop", value, elem_id=elem_id)


def dropped(value: Any, most: int) -> list[tuple[Path, str]]:
    """The files that lie there. Raises ImpastoError as :func:`uploaded`, or for more than `most`."""
    files = record(value).get("files")
    if not isinstance(files, list):
        return []
    if len(files) > most:
        raise ImpastoError(f"{len(files):,} files are more than the {most:,} that are taken at a time")
    return [uploaded(one) for one in files]


def record(value: object) -> dict[str, Any]:
    """The value of a part as what it should be: what comes from a page may be anything."""
    return value if isinstance(value, dict) else {}


def url_of(path: Path) -> str:
    """Where the page finds a file that the studio wrote for it."""
    return ADDRESS + quote(path.as_posix())


def uploaded(data: object) -> tuple[Path, str]:
    """The file that a visitor has uploaded, and what they call it.

    What comes from a page may be anything: it has to name a file that lies in the folder of uploads, and nothing else
    is ever opened.

    Raises:
        ImpastoError: it does not.
    """
    told = record(data.model_dump() if isinstance(data, gr.FileData) else data)
    path = _in_uploads(told.get("path"))
    if path is None:
        raise ImpastoError("that file is not here any more; drop it again")
    name = told.get("orig_name")
    return path, file_name(name if isinstance(name, str) else path.name, path.name)


def _in_uploads(given: object) -> Path | None:
    folder = Path(get_upload_folder()).resolve()
    try:
        path = Path(given).resolve() if isinstance(given, str) else folder
        return path if path.is_relative_to(folder) and path.is_file() else None
    except (OSError, ValueError):  # longer than any name, or with letters that are none
        return None


def in_words(error: Exception, path: Path | None = None, name: str = "") -> str:
    """What went wrong, for the page: no path of this computer in it."""
    text = str(error)
    return text if path is None else text.replace(str(path), name)


def sentence(text: str) -> str:
    """`text` with a capital letter, but where a file's name comes first."""
    first = text.partition(" ")[0]
    return text if "." in first or "_" in first else text[:1].upper() + text[1:]


def refusal(error: ImpastoError) -> gr.Error:
    """What the page shows for a while where `error` ended an event."""
    return gr.Error(sentence(in_words(error)), title="That did not work", duration=10, print_exception=False)
