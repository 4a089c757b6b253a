"""name -> the function that measures it, in the order in which they run."""

from . import rows_apply, rows_mirror, rows_origin, rows_pure, rows_sites, rows_wan

ROWS = {
    "encode": rows_pure.encode,
    "capture-cost": rows_origin.capture_cost,
    "wire": rows_sites.wire,
    "apply-rate": rows_apply.apply_rate,
    "drain": rows_apply.drain,
    "origin-throughput": rows_origin.origin_throughput,
    "origin-latency": rows_origin.origin_latency,
    "end-to-end": rows_sites.end_to_end,
    "lag-low": rows_sites.lag_low,
    "lag-load": rows_sites.lag_load,
    "catch-up": rows_sites.catch_up,
    "fan-out": rows_origin.fan_out,
    "idle-cpu": rows_sites.idle,
    "memory-plugin": rows_sites.memory_plugin,
    "memory-applier": rows_sites.memory_applier,
    "tree-size": rows_apply.tree_size,
    "vs-make-mirror-live": rows_mirror.live,
    "vs-make-mirror-drain": rows_mirror.drain,
    "lag-vs-mirror": rows_mirror.lag,
    "bootstrap": rows_sites.bootstrap,
    "wan-50": rows_wan.far(50),
    "wan-150": rows_wan.far(150),
    "wan-300": rows_wan.far(300),
    "holes": rows_wan.holes,
}
