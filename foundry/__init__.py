"""Where the embedded world is cast: scenes, captions, training, judging. Never imported by the package."""
