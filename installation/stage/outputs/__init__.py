"""Outputs: further stages without a window, beside the wall. What the wall shows goes to a file, NDI or a camera."""
