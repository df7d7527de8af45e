"""A batch that is killed (SIGKILL) again and again at random moments, as power cuts and schedulers do."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import os, random, signal, sys, time
from pathlib import Path
from spinemri.batch.run import run
from spinemri.batch.sources import find_sources
from tests.batch.small_study import OPTIONS, job
root, out, kills, most, seed = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:])
sources, moments = find_sources(root, OPTIONS), random.Random(seed)
for _ in range(kills):  # forked, so that all of a life is work and none of it imports
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        for outcome in run(sources, job(), out):
            if outcome.status != "unchanged":
                os.write(tell, b".")
        os._exit(0)
    os.close(tell)
    for _ in range(moments.randrange(most)):
        os.read(told, 1)
    time.sleep(moments.uniform(0, 0.4))
    os.kill(child, signal.SIGKILL)
    os.close(told)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def killed_runs(root: Path, out: Path, kills: int, *, most: int, seed: int) -> int:
    """How many of so many runs over the small studies below ``root`` were working when they were killed.

    ``most`` : each is killed within half a second of one of its first so many new outcomes.
    """
    command = [sys.executable, "-c", CHILD, *map(str, (root, out, kills, most, seed))]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    if len(ended) != kills:
        raise RuntimeError(f"{len(ended)} of {kills} runs ended")
    return ended.count(str(-signal.SIGKILL))
