"""The RunComfy Model API on loopback, with a ledger of charges.

    with Emulator(timeline=Timeline.after_polls(queued=1, rendering=2)) as emulator:
        emulator.inject(Fault(Call.SUBMIT, "reset", after_accept=True))
        ...  # the pack, with emulator.environment()
        assert emulator.charges == 1

`Options` chooses where RunComfy's documentation is silent or contradicts itself; `FAULTS` is the table of what can go wrong.
"""

from .backend import Charge, Request, body_fingerprint
from .calls import Call, Recorded
from .faults import FAULTS, Fault, FaultKind, fault_matrix
from .library import Render
from .options import Options
from .service import Emulator
from .timeline import State, Timeline

__all__ = [
    "FAULTS",
    "Call",
    "Charge",
    "Emulator",
    "Fault",
    "FaultKind",
    "Options",
    "Recorded",
    "Render",
    "Request",
    "State",
    "Timeline",
    "body_fingerprint",
    "fault_matrix",
]
