"""VPSolver (arc-flow) with HiGHS on a `.vbp` file: the exact peer, run in a process of its own with a limit on time and memory.

`python -m benchmarks.planner.peer_vpsolver PYTHON FILE SECONDS`: PYTHON is an interpreter that has pyvpsolver, which builds the graph and
writes the model; HiGHS solves it. Prints bins and lower bound, with `-` for what was not found, and seconds. Shares no code with
the planner.
"""

import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import highspy

_MEMORY_BYTES = 6 << 30


def main() -> None:
    """One line."""
    python, file, limit = sys.argv[1], sys.argv[2], float(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="kasumi-vpsolver-") as folder:
        graph, model = Path(folder) / "graph.afg", Path(folder) / "model.mps"
        try:
            for tool, *files in (("vbp2afg", file, graph), ("afg2mps", graph, model)):
                command = [python, str(Path(python).parent / tool), *map(str, files)]
                subprocess.run(command, capture_output=True, check=True, timeout=limit - (time.perf_counter() - began))
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            print("-", "-", f"{time.perf_counter() - began:.2f}", type(error).__name__)
            return
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 2)
        solver.setOptionValue("time_limit", max(0.1, limit - (time.perf_counter() - began)))
        solver.readModel(str(model))
        solver.run()
        found, bound = solver.getInfo().objective_function_value, solver.getInfo().mip_dual_bound
        bins = round(found) if math.isfinite(found) else "-"
        print(bins, math.ceil(bound - 1e-6) if math.isfinite(bound) else "-", f"{time.perf_counter() - began:.2f}", "ended")


if __name__ == "__main__":
    main()
