"""How busy the machine is: processors by the kernel's own count (Linux), GPUs as ``nvidia-smi`` tells, where it is."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

_EVERY_S = 3.0
_ASKED = ("--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits")


class Usage:
    """Use since the last look; looks at most every three seconds."""

    def __init__(self, stat: Path = Path("/proc/stat"), smi: str | None = None) -> None:
        self._stat, self._smi = stat, smi or shutil.which("nvidia-smi")
        self._looked, self._ticks, self._told = 0.0, self._counted(), ""

    def __str__(self) -> str:
        """Such as 'CPU 93 %, GPU 71 % 4.2 GB'; '' where nothing can be told."""
        if time.monotonic() - self._looked >= _EVERY_S:
            self._looked = time.monotonic()
            self._told = ", ".join(filter(None, (self._processors(), *self._gpus())))
        return self._told

    def _processors(self) -> str:
        (busy, whole), self._ticks = self._ticks, self._counted()
        spent = self._ticks[1] - whole
        return f"CPU {100 * (self._ticks[0] - busy) / spent:.0f} %" if spent > 0 else ""

    def _counted(self) -> tuple[int, int]:
        """Ticks of all processors: busy, and in all."""
        try:
            ticks = [int(word) for word in self._stat.read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
        except OSError:
            return 0, 0
        return sum(ticks) - sum(ticks[3:5]), sum(ticks)

    def _gpus(self) -> list[str]:
        if self._smi is None:
            return []
        try:
            asked = subprocess.run([self._smi, *_ASKED], capture_output=True, text=True, timeout=2, check=True)
            cells = [line.split(",") for line in asked.stdout.splitlines()]
            return [f"GPU {int(used)} % {float(megabytes) / 1000:.1f} GB" for used, megabytes in cells]
        except (OSError, subprocess.SubprocessError, ValueError):  # no driver, or a card that does not tell
            return []
