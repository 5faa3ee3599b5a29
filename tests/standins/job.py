"""A job that does as its preset is called: what a queue is tested with where no picture matters.

    python job.py film NAME -o DIR ...

well: ends well; fail: with an error; crash: by SIGKILL; misuse: exit 2; slow: half a second, and tells SIGTERM;
sleep: until somebody ends it; flaky: the first time an error, then well. Each beginning is a line in DIR/begun.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    what, folder = sys.argv[2], Path(sys.argv[sys.argv.index("-o") + 1])
    folder.mkdir(parents=True, exist_ok=True)
    begun = folder / "begun"
    with begun.open("a") as file:
        file.write(f"{os.getpid()}\n")
    times = len(begun.read_text().splitlines())
    print("at work", flush=True)
    if what == "fail" or (what == "flaky" and times == 1):
        print("error: the sky is green: paint it", file=sys.stderr)
        sys.exit(1)
    if what == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "misuse":
        sys.exit(2)
    if what == "sleep":
        while True:
            time.sleep(0.05)
    if what == "slow":
        time.sleep(0.5)
    (folder / "film.json").write_text('{"complete": true}')


main()
