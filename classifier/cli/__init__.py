"""The command line: one command a file, each a thin layer over a function of the library."""
