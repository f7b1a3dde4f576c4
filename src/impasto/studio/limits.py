"""How much the studio takes from whoever reaches it."""

from __future__ import annotations

from dataclasses import dataclass, fields

MEGABYTE = 1_000_000
GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class Limits:
    """Every bound of the studio. All are positive."""

    upload_bytes: int = GIGABYTE
    """A file that is dropped: a clip of some minutes, a folder of photos in a ZIP."""
    drop_bytes: int = 4 * GIGABYTE
    """All files of one drop together."""
    drop_files: int = 1000
    """Files of one drop. Gradio takes no more than 1,000 in one request either."""
    body_bytes: int = 4 * MEGABYTE
    """Anything else that is sent: a camera's frame comes as a data URL of some 100 KB."""
    login_bytes: int = 16_000
    """A name and a password."""
    photo_pixels: int = 60 * MEGABYTE
    """A photo that is repainted: more than any phone takes, and about 1 GB of memory while it is painted."""
    frame_pixels: int = 2 * MEGABYTE
    """A frame of a visitor's camera."""
    frames: int = 8
    """Frames of all cameras that wait or are painted at once; further ones are refused."""
    scratch_bytes: int = 8 * GIGABYTE
    """All temporary files together, or most of the free disk, where that is less."""
    spare_bytes: int = GIGABYTE
    """What is left free on the disk, so that the rest of the computer can go on."""
    kept_hours: float = 6.0
    """How long an upload and its results are kept after they were written."""
    loose_minutes: float = 15.0
    """How long the beginning of an upload that was never finished is kept."""
    stylizing: int = 2
    """Photos that are repainted at once; each of them uses all processors by itself."""
    jobs_waiting: int = 40
    """Trainings, folders, clips and reports that wait for their turn."""
    jobs_kept_hours: float = 48.0
    """How long folders and clips are kept after they were painted or paused; trainings stay until they are removed."""
    waiting: int = 200
    """Calls that wait for their turn; the next one is told to try again."""
    sessions: int = 256
    """Open pages whose values are remembered; the oldest is forgotten first. Each may hold a few `body_bytes`."""
    connections: int = 512
    """Connections at once; a page that is open holds up to six."""
    connections_of_one: int = 128
    """Connections at once from one address other than this computer."""
    patience: float = 20.0
    """Seconds in which a request's head must be here, and that a body may stand still."""
    slowest: float = 2_000.0
    """Bytes a second; a body that comes slower uses up the patience."""
    stall: float = 60.0
    """Seconds in which a client must read something of an answer."""
    logins_free: int = 3
    """Wrong passwords from one address before it has to wait: 1, 2, 4, … seconds."""
    login_delay: float = 30.0
    """The longest such wait, in seconds."""
    logins_waiting: int = 5
    """Attempts of one address that wait at once; further ones are refused."""
    farewell: float = 2.0
    """Seconds that answers under way get to finish when the server ends."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise ValueError(f"{field.name} must be positive")


def in_words(count: float) -> str:
    """A number of bytes, as a reader takes it in: '4 MB', '1.5 GB'."""
    for unit, size in (("GB", GIGABYTE), ("MB", MEGABYTE), ("KB", 1000)):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count:.0f} bytes"
