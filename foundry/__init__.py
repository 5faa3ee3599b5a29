"""Where the embedded world is cast: scenes, captions, training, judging. Never imported by the package."""

import os

from installation.terminal import QUIET

for _name, _level in QUIET.items():  # before libraries are imported, here and in processes that are started
    os.environ.setdefault(_name, _level)
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
