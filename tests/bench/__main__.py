"""``python -m tests.bench``: every benchmark, or those named on the command line, as one table of ratios."""

from __future__ import annotations

import sys

from tests.bench import durable_step, network_speed, resting, run_speed, sixty_four
from tests.bench.ratios import show

BENCHMARKS = {
    "run_speed": run_speed.measure,
    "network_speed": network_speed.measure,
    "durable_step": durable_step.measure,
    "sixty_four": sixty_four.measure,
    "resting": resting.measure,
}


def main(names: list[str]) -> int:
    """0, or 2 if a name is none of a benchmark's."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}\n")
        return 2
    show(ratio for name in names or BENCHMARKS for ratio in BENCHMARKS[name]())
    return 0


sys.exit(main(sys.argv[1:]))
