"""One file per shape: what is measured, how much of it, and what is to be reached. The programs are in `programs/`."""

ORDER = (
    "limits",
    "sequential",
    "concurrent",
    "starts",
    "fanout",
    "idle_queue",
    "submits",
    "draining",
    "between_processes",
    "recovery",
    "sleepers",
    "busy",
    "launch",
    "pure",
    "flat_steps",
    "flat_queue",
    "flat_history",
    "flat_parked",
    "flat_unknown",
    "flat_snapshot",
)
"""As in the table of the targets."""
