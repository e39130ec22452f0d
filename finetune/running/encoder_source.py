"""The pretrained encoder of a run: found once, so that what is recorded is what was loaded."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffsr_hub.files.paths import folder_or_name
from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.saved.download import find


@dataclass(frozen=True)
class EncoderSource:
    """An encoder's files on this machine."""

    source: str
    """as the user wrote it: a folder or a repository"""
    folder: Path
    """which holds its files"""
    weights: Path
    revision: str | None
    """the commit, of a repository"""

    @classmethod
    def find(cls, source: str, revision: str = "") -> "EncoderSource":
        """Locate an encoder, or download it.

        Args:
            source: Folder or repository.
            revision: Commit, tag or branch; empty for the main branch.

        Raises:
            UserError: It is not there.
        """
        config, weights = find(source, revision=revision or None, local_files_only=False, token=None)
        in_cache = config.parent.parent.name == "snapshots" and not os.path.isdir(folder_or_name(source))
        return cls(source, config.parent, weights, config.parent.name if in_cache else None)

    def load(self, envs: Any) -> DiffSR:
        """The encoder, which must fit the environments.

        Raises:
            UserError: It cannot be loaded, or does not fit.
        """
        return DiffSR.from_pretrained(self.folder, env=envs)

    def record(self) -> dict[str, Any]:
        """Where it came from, and the hash of its weights."""
        sha256 = hashlib.sha256(self.weights.read_bytes()).hexdigest()
        return {"source": self.source, "revision": self.revision, "sha256": sha256}
