"""The RunComfy Model API on loopback, with a ledger of charges.

    with Emulator(timeline=Timeline.after_polls(queued=1, rendering=2)) as emulator:
        emulator.inject(Fault(Call.SUBMIT, "reset", after_accept=True))
        ...  # the pack, with emulator.environment()
        assert emulator.charges == 1

`Options` chooses where RunComfy's documentation is silent or contradicts itself; `FAULTS` is the table of what can go wrong.
`models.json` holds the models that are for sale beside Sora; ``quirks`` has what can be odd about them, by name:

    Emulator(quirks={"kling/kling-3.0/pro/image-to-video": QUIRKS["price-null"]})
    Emulator(models=(*EVERY_MODEL, *SCHEMA_QUIRKS.values()))
"""

from .backend import Charge, Request, body_fingerprint
from .calls import Call, Recorded
from .faults import FAULTS, Fault, FaultKind, fault_matrix
from .library import Render
from .models import Model
from .options import Options
from .quirks import Quirk
from .service import Emulator
from .timeline import State, Timeline

__all__ = [
    "FAULTS",
    "Call",
    "Charge",
    "Emulator",
    "Fault",
    "FaultKind",
    "Model",
    "Options",
    "Quirk",
    "Recorded",
    "Render",
    "Request",
    "State",
    "Timeline",
    "body_fingerprint",
    "fault_matrix",
]
