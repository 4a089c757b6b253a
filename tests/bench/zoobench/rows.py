"""name -> the function that measures it, in the order in which they run."""

from . import rows_apply, rows_pure

ROWS = {
    "encode": rows_pure.encode,
    "apply-rate": rows_apply.apply_rate,
}
