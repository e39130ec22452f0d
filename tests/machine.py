"""A machine of a test's own: its folders, and no network."""

from pathlib import Path

import pytest


def isolate(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Datasets, cache and runs in a folder, and no network; also for the processes that a test starts."""
    patch.chdir(folder)
    patch.setenv("MINARI_DATASETS_PATH", str(folder / "datasets"))
    patch.setenv("DIFFSR_CACHE", str(folder / "cache"))
    patch.setenv("HF_HUB_OFFLINE", "1")
    patch.setenv("OMP_NUM_THREADS", "1")
    patch.setenv("PL_GLOBAL_SEED", "0")  # Lightning sets it, and it would stay
    patch.delenv("MINARI_REMOTE", raising=False)
