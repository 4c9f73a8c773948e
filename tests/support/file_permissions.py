"""Who may read a file: a question that only POSIX answers with a mode. Windows guards the user's profile as a whole."""

import os
import stat


def is_its_owners_alone(path):
    if os.name != "posix":
        return path.exists()
    return stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
