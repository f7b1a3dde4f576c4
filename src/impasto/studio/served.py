"""Files of jobs, handed to the page without opening their folders to it."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from pathlib import Path

from impasto.studio.parts import url_of


class Served:
    """Puts links to files, under names that nobody can guess, where the page may fetch them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._secret = secrets.token_bytes(16)

    def url(self, path: Path, name: str = "") -> str:
        """Where the page finds `path` as it is now, under another name if need be; empty where it has vanished."""
        try:
            facts = path.stat()
            key = hashlib.blake2b(
                f"{path} {name} {facts.st_mtime_ns} {facts.st_size}".encode(), key=self._secret, digest_size=12
            )
            link = self.folder / key.hexdigest() / (name or path.name)  # what a browser calls it
            if not link.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                _link(path, link)
        except OSError:
            return ""
        return url_of(link)


def _link(path: Path, link: Path) -> None:
    try:
        os.link(path, link)
    except FileExistsError:  # another thread was quicker
        return
    except OSError:  # another disk, or one that knows no links
        part = link.with_name(f".{link.name}.{secrets.token_hex(4)}.part")
        try:
            shutil.copyfile(path, part)
            part.replace(link)
        finally:
            part.unlink(missing_ok=True)
