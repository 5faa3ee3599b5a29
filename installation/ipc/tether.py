"""A child that dies with its show: `python -m installation.ipc.tether PARENT MODULE-OR-SCRIPT ARGUMENT...`.

A closed pipe ends a child that listens; one that hangs does not listen. On Linux the kernel is asked to kill the child
when the thread that started it ends (PR_SET_PDEATHSIG, prctl(2)), hence `kill -9` of a show leaves nobody behind. Asked
for here and not between fork and exec, where a process with threads can lock up. Elsewhere the closed pipe must do.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then be the module or script."""
    parent, target, *rest = arguments
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != int(parent):  # it died before we asked
            sys.exit(1)
    sys.argv = [target, *rest]
    if target.endswith(".py"):
        runpy.run_path(target, run_name="__main__")
    else:
        runpy.run_module(target, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
