import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from diffsr_hub.data.cache.build import ARRAYS, build
from diffsr_hub.data.formats import open_dataset

MEASURE = """
import json, resource, sys
import h5py, minari, torch
from diffsr_hub.data import load
load([sys.argv[1]])  # whatever is allocated once
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
episodes = load([sys.argv[2]])
load([sys.argv[2]])
episodes.transitions(torch.tensor([0, episodes.num_transitions - 1]))  # touched pages count
print(json.dumps([episodes.num_transitions, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""


def test_arrays_are_as_said(make: Any, tmp_path: Path) -> None:
    index = build(open_dataset(make(lengths=[5, 1, 7])), tmp_path)
    assert (index["action_low"], index["action_high"]) == ([-1.0, -1.0], [1.0, 1.0])
    arrays = {name: np.load(tmp_path / f"{name}.npy") for name in ARRAYS}
    assert arrays["frames"].shape == (16, 3)
    assert arrays["row"].tolist() == [0, 1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 13, 14]
    assert arrays["lengths"].tolist() == [5, 1, 7]
    for name, array in arrays.items():
        assert index["arrays"][name]["shape"] == [*array.shape]
    assert json.loads(json.dumps(index)) == index


def test_memory_does_not_grow_with_the_dataset(make: Any, tmp_path: Path) -> None:
    small, large = make("test/small-v0", [5]), make("test/large-v0", [5])
    steps, count = 20_000, 100  # 2 million steps: 88 MB as stored, 62 MB as cached
    folder = tmp_path / "datasets" / large / "data"
    with h5py.File(folder / "main_data.hdf5", "w") as file:
        for episode in range(count):
            group = file.create_group(f"episode_{episode}")
            group["observations"] = np.zeros((steps + 1, 3))
            group["actions"] = np.zeros((steps, 2), np.float32)
            group["rewards"] = np.zeros(steps)
            group["terminations"] = np.zeros(steps, bool)
    metadata = json.loads((folder / "metadata.json").read_text()) | {"total_episodes": count}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    command = [sys.executable, "-c", MEASURE, small, large]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    transitions, kilobytes = json.loads(done.stdout)
    assert transitions == steps * count
    assert kilobytes < 40_000
