"""`impasto stylize`."""


def stylize() -> None:
    """Not yet."""
    raise NotImplementedError
