"""The one exception a user is meant to see."""


class ImpastoError(Exception):
    """A problem the user can act on; its text says in one line what is wrong, where, and what to do.

    The command line prints the text and exits with code 2; a traceback would mean a fault of ours.
    """
