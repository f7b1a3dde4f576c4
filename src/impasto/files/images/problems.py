"""What goes wrong: the one place that turns exceptions into ImpastoError."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from impasto.errors import ImpastoError, in_one_line

_T = TypeVar("_T")

# These libraries report the oddities of broken files, which a terminal with a progress bar is no place for.
# Appended, so that a filter of the caller's own wins; set once, since warnings.catch_warnings is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.", append=True)
for _library in ("PIL", "tifffile", "imagecodecs"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


@contextmanager
def explained(action: str, path: str | os.PathLike[str], advice: str) -> Iterator[None]:
    """Turns whatever a decoder or the system raises into one line for the user.

    Exception and no list of types: on damaged files three libraries raise some fifteen kinds, new ones by version.
    """
    try:
        yield
    except ImpastoError:
        raise
    except MemoryError as error:
        raise ImpastoError(f"cannot {action} {path}: not enough memory; close programs or make it smaller") from error
    except FileNotFoundError as error:
        raise ImpastoError(f"cannot {action} {path}: no such file or folder; check the path") from error
    except Exception as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if not reason or not isinstance(error, OSError | ValueError | SyntaxError | RuntimeError):
            reason = f"damaged data ({type(error).__name__} {reason})"
        raise ImpastoError(f"cannot {action} {path}: {in_one_line(reason)}; {advice}") from error


def lenient(get: Callable[[], _T], otherwise: _T) -> _T:
    """Metadata is worth keeping, but a photo is not refused for damage in it."""
    try:
        return get()
    except Exception:
        return otherwise
