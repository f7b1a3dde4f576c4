"""`impasto inspect`."""


def inspect() -> None:
    """Not yet."""
    raise NotImplementedError
