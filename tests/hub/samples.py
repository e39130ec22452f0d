"""What a published encoder says about itself, and the name that it is published under."""

import struct
import zlib
from typing import Any

NAME = "org/diffsr-hopper"
CLIENTS_OWN_WARNING = "ignore:Use .content=:DeprecationWarning"
"""of the HTTP client, about how huggingface_hub 2.4 uploads"""
PROBES = ("reward", "next_obs", "change", "return", "return_fourier")
LOSSES = ("encoder", "linear_dynamics", "without_state_action", "constant", "random_encoder")
REPORT: dict[str, Any] = {
    "discount": 0.99,
    "transitions": {"train": 900, "validation": 100},
    "episodes": {"train": 9, "validation": 1},
    "loss": {"mean": {name: 0.25 for name in LOSSES}},
    "probes": {target: {"psi": 0.9, "random_psi": 0.7, "raw": 0.3} for target in PROBES},
    "spectrum": {name: {"effective_rank": 4.0} for name in ("psi", "random_psi", "raw")},
    "samples": {"rmse": [0.1, 0.2, 0.3], "spread_over_rmse": [0.9, 1.0, 1.1]},
}
MADE_OF: dict[str, Any] = {
    "datasets": [
        {
            "id": "mujoco/hopper/medium-v0",
            "namespace": "mujoco/hopper",
            "source": "remote",
            "hub_revision": "abc123",
            "sha256": "f" * 64,
            "env_spec": {"id": "Hopper-v5"},
            "total_episodes": 10,
            "total_steps": 1_000,
            "algorithm_name": "SAC",
            "description": "Runs.",
        }
    ],
    "software": {"torch": "2", "diffsr-hub": "0.1.0"},
    "training": {
        "command": "diffsr pretrain --dataset=mujoco/hopper",
        "max_steps": 10,
        "batch_size": 4,
        "seconds": 1.0,
        "transitions": 900,
        "device": "cpu",
    },
}

AGENT_NAME = "org/diffsr-hopper-agent"
EVALUATION: dict[str, Any] = {
    "step": 2_000,
    "seconds": 12.5,
    "mean_return": 1_234.56,
    "std_return": 78.9,
    "mean_length": 321.0,
    "returns": [1_100.0, 1_369.12],
    "lengths": [300, 342],
    "successes": [],
}
RESULTS: dict[str, Any] = {
    "mean_reward": 1_234.56,
    "std_reward": 78.9,
    "is_deterministic": True,
    "n_eval_episodes": 2,
    "eval_datetime": "2026-01-02T03:04:05+00:00",
}
ONLINE: dict[str, Any] = {
    "env": "Hopper-v5",
    "arm": "frozen-offline",
    "mode": "frozen",
    "seed": 7,
    "steps": 2_000,
    "seconds": 12.5,
    "device": "cpu",
    "command": "diffsr finetune --encoder=org/diffsr-hopper --env=Hopper-v5",
    "encoder": {"source": NAME, "revision": "c0ffee", "sha256": "e" * 64},
    "datasets": MADE_OF["datasets"],
    "software": MADE_OF["software"],
    "settings": {"env": "Hopper-v5"},
}
TRANSFER: dict[str, Any] = {
    "command": "python benchmarks/studies/transfer.py",
    "source": "https://example.org/docs/transfer.md",
    "total_steps": 30_000,
    "arms": {"frozen": "ψ as it was pretrained"},
    "rows": [
        {
            "task": "Hopper-v5",
            "arm": "frozen",
            "steps": {"centre": 9_000, "low": 8_000, "high": 12_345, "reached": 3, "seeds": 3},
            "final": {"centre": 2_900.1, "low": 2_700, "high": 3_100},
        },
        {
            "task": "diffsr/Hopper-backward-v0",
            "arm": "random",
            "steps": {"centre": 22_000.4, "low": 9_000, "high": 30_000, "reached": 1, "seeds": 4},
        },
    ],
}
FILM = b"\0\0\0\x20ftypisom"


def png() -> bytes:
    """The smallest picture."""
    chunks = {b"IHDR": struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0), b"IDAT": zlib.compress(b"\0\0"), b"IEND": b""}
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)
