"""Photos from disk and stylized images back to it, with everything that belongs to them.

Pillow decodes what holds at most 8 bits; 16-bit PNG goes through imagecodecs and TIFF through tifffile, since Pillow
would cut both to 8. A file's content decides how it is read, its suffix how it is written.
All functions may be called from several threads.

Imports go one way: reading and writing → png, tiff → pillow → photo → picture, formats, problems.
"""

from impasto.files.images.finding import find, root_of
from impasto.files.images.formats import FORMATS, AnyPath, check_writable_suffix
from impasto.files.images.picture import Picture, Samples
from impasto.files.images.reading import MAX_PIXELS, MAX_TRAINING_PIXELS, profile_of, read, read_small, size_of
from impasto.files.images.writing import write

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "MAX_TRAINING_PIXELS",
    "AnyPath",
    "Picture",
    "Samples",
    "check_writable_suffix",
    "find",
    "profile_of",
    "read",
    "read_small",
    "root_of",
    "size_of",
    "write",
]
