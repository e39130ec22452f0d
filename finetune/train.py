"""Algorithm 2 from the command line: an encoder and an environment in, an agent out.

Start it as `python finetune/train.py --encoder FOLDER_OR_REPO --env Hopper-v5`, or as `diffsr finetune`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if not __package__:
    # Run as a script: import from the checkout, not from this folder.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import torch

from diffsr_hub.errors import UserError, exit_codes
from diffsr_hub.files.atomic import write_json
from finetune.acting.video import record
from finetune.config import FinetuneConfig
from finetune.running.export import export
from finetune.running.provenance import facts, sources
from finetune.running.run_folder import RunFolder
from finetune.running.training import EVALUATION_SEED, Training

DESCRIPTION = """Learn online on top of a pretrained encoder, or from scratch (Algorithm 2 of arXiv 2406.16121).
Leaves runs/NAME/agent, a folder that Agent.from_pretrained loads and that can be shared as it is."""


def run(config: FinetuneConfig) -> Path:
    """Train, and leave the agent; returns its folder."""
    torch.set_num_threads(config.threads)
    folder = RunFolder.of(config)
    folder.check(config)
    training = Training(config, folder)  # before anything is written: what does not fit leaves no folder behind
    made_of = sources(config, folder.sources)
    with folder.in_use(config):
        write_json(folder.sources, made_of)
        training.run()
        _leave(training, facts(config, made_of, training.seconds))
    last = training.record.evaluations[-1]
    print(f"return: {last['mean_return']:,.1f} ± {last['std_return']:,.1f} over {len(last['returns'])} episodes")
    if "success_rate" in last:
        print(f"success rate: {last['success_rate']:.0%}")
    print(f"agent: {folder.agent.resolve()}")
    print(f'load it: from finetune import Agent; agent = Agent.from_pretrained("{folder.agent}")')
    return folder.agent


def _leave(training: Training, made_of: dict[str, Any]) -> None:
    """Export the agent, safe before anything is rendered, and once more with its film where one could be made."""
    config, folder, last = training.config, training.folder, training.record.evaluations[-1]
    agent = training.learner.finished_agent()
    folder.video.unlink(missing_ok=True)  # an older one, of a run that was resumed
    export(agent, folder, made_of, last)
    if config.video_steps:
        try:
            record(folder.agent, config.env, folder.video, config.video_steps, EVALUATION_SEED)
        except UserError as error:
            return print(error)
        export(agent, folder, made_of, last)


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    run(RunFolder.read_config(argv, DESCRIPTION))


if __name__ == "__main__":
    main()
