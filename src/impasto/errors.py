"""The one exception a user is meant to see."""


class ImpastoError(Exception):
    """A problem the user can act on; its text says in one line what is wrong, where, and what to do.

    The command line prints the text and exits with code 2; a traceback would mean a fault of ours.
    """


def in_one_line(text: str, most: int = 300) -> str:
    """`text` that came out of a file, as part of a message: printable, on one line, at most so many characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: 2 * most]).split())
    return line if len(line) <= most and len(text) <= 2 * most else line[: most - 1] + "…"
