"""The outputs that come along: each file is one, by the file's name."""
