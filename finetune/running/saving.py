"""A run's checkpoint: its state in one file, and the steps of its replay buffer, a file for every checkpoint."""

import shlex
from collections.abc import Mapping
from typing import Any

from diffsr_hub.errors import UserError
from finetune.learning.replay import Replay
from finetune.running import checkpoint, replay_files
from finetune.running.run_folder import RunFolder

VERSION = 2
"""of the state; 1 had whole rows in its replay buffer"""


class Saving:
    """Writes checkpoints, each of which replaces the one before.

    Args:
        folder: Of the run.
        arguments: Of the agent, from which a resumed run makes it anew.
    """

    def __init__(self, folder: RunFolder, arguments: Mapping[str, Any]) -> None:
        self.folder, self.arguments = folder, dict(arguments)
        self.saved_step, self.saved_additions = 0, 0

    def __str__(self) -> str:
        return f"{self.folder.path} keeps the state of step {self.saved_step:,}"

    @property
    def resume_command(self) -> str:
        """How the user goes on."""
        return f"diffsr finetune --resume {shlex.quote(str(self.folder.path))}"

    def save(self, state: dict[str, Any], replay: Replay) -> None:
        """Write a state with its replay buffer; a crash on the way leaves the older one whole."""
        replay_files.append(self.folder.replay, replay, self.saved_additions)
        about = {"version": VERSION, "agent": self.arguments, "added": replay.added}
        checkpoint.save(self.folder.checkpoint, {**about, **state})
        self._note(state, replay)
        replay_files.drop_forgotten(self.folder.replay, replay)

    def restore(self, state: Mapping[str, Any], replay: Replay) -> None:
        """Fill an empty buffer with what it held."""
        replay_files.restore(self.folder.replay, replay, state["added"])
        self._note(state, replay)

    def _note(self, state: Mapping[str, Any], replay: Replay) -> None:
        self.saved_step, self.saved_additions = state["step"], replay.added


def stored_state(folder: RunFolder, total_steps: int, num_envs: int) -> dict[str, Any]:
    """The state of a run that goes on.

    Args:
        folder: Of the run.
        total_steps: Where it shall end; the last step of several environments may be a few past that.
        num_envs: Number of its environments.

    Raises:
        UserError: It cannot be read, is of another version of diffsr-hub, or is past the end.
    """
    state: dict[str, Any] = checkpoint.load(folder.checkpoint)
    if state.get("version") != VERSION:
        raise UserError(
            f"{folder.path} was started with another version of diffsr-hub, whose checkpoints this one does not read: "
            "start a new run, or go on with that version"
        )
    step = state["step"]
    if step >= total_steps + num_envs:
        raise UserError(
            f"{folder.path} is at step {step} already: give --total_steps {step} or more, not {total_steps}"
        )
    return state
