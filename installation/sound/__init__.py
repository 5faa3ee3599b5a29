"""Sound: a file heard once, before the film; its beats, and what its curves move. See docs/sound.md."""
