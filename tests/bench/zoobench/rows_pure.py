"""What needs no server."""

from . import tools
from .figures import Figure


def encode(bench):
    """Decode, filter, stamp, batch and LZ4 on one core, against LZ4 alone on the same bytes."""
    for kind, name in (("registry", "encode"), ("config", "encode-config")):
        results = bench.measure(lambda _, kind=kind: tools.run("bench_pure", "encode", kind))
        allocations = max(result["allocations"] for result in results)
        yield Figure(name, [(result["baseline"], result["ours"]) for result in results], 0.5, "higher", "txns/s",
                     f"{allocations} allocations while warm")
