"""Times all measurements of a painted whole spine of 24 vertebrae, true masks and a T2w image; writes JSON to the file
given. Start it with one thread.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from spinemri.evaluate.measured_images import rendered
from spinemri.evaluate.measured_people import whole_bodies, whole_spine
from spinemri.measure import measure

RUNS = 5


def main() -> None:
    """Measure and write."""
    person = whole_spine(0)
    image = rendered(person, 0)
    masks = person.segmentation(image.series.series_uid)
    spine = whole_bodies(masks)
    seconds, found = [], measure(spine, [image], [masks])  # warm
    for _ in range(RUNS):
        start = time.perf_counter()
        measure(spine, [image], [masks])
        seconds.append(time.perf_counter() - start)
    values = sum(m.value is not None for m in found)
    result = {"vertebrae": len(spine.vertebrae), "values": values, "seconds": seconds}
    Path(sys.argv[1]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
