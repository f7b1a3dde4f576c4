"""`impasto data`."""


def data() -> None:
    """Not yet."""
    raise NotImplementedError
