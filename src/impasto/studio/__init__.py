"""The studio: everything in a web page, for people who never saw a terminal."""
