"""Pictures as vertices: read, encoded, inverted, measured, and written as a vertex file."""
