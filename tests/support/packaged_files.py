"""What the registry hands out: the files that git knows, without those in .comfyignore."""

import subprocess

from pack import ROOT


def tracked(*narrowed):
    """The names of files that git knows; all of them, or those that `git ls-files` leaves with these options."""
    command = ["git", "ls-files", "-z", "--cached", *narrowed]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    return {name for name in listed.stdout.decode().split("\0") if name}


def names():
    """The names of the files that an artist gets."""
    return sorted(tracked() - tracked("--ignored", "--exclude-from=.comfyignore"))
