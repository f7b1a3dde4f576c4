"""The studio: a web page for all that the program does, and the long work behind it."""
