"""The RunComfy Model API on loopback, with a ledger of charges: ``assert emulator.charges == 1``."""

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
