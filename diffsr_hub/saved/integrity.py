"""Whether a file is the one that the Hub announced, by the hash under which the cache keeps it.

The client compares sizes only. Large files go by their SHA-256, small ones by git's hash; what a mirror calls otherwise
cannot be checked.
"""

import hashlib
import re
from pathlib import Path


def as_announced(file: Path) -> bool:
    """False where a file of the Hub's cache has another content than its name in the cache says."""
    # One step only: that name may itself be a link into a store that goes by another kind of hash.
    name = file.readlink().name if file.is_symlink() else ""
    if re.fullmatch("[0-9a-f]{64}", name):
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == name
    if re.fullmatch("[0-9a-f]{40}", name):
        return git_hash(file.read_bytes()) == name
    return True


def git_hash(content: bytes) -> str:
    """The hash by which git, and the Hub, call a small file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
