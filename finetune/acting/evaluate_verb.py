"""`diffsr evaluate`: run episodes with a finished agent and say what they came to."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from diffsr_hub.errors import UserError, exit_codes
from diffsr_hub.files.atomic import write_json
from diffsr_hub.runs.command import verb_parser

if TYPE_CHECKING:
    from finetune.acting.evaluation import Evaluation

EPISODES = 100


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = verb_parser("evaluate", "Run whole episodes with an agent's deterministic policy.")
    parser.add_argument(
        "source", metavar="FOLDER|org/name", help="an agent's folder such as runs/NAME/agent, or a repo"
    )
    parser.add_argument("--env", metavar="ID", help="Gymnasium id; default: the one that the agent learned in")
    parser.add_argument("--episodes", type=int, help="default: 100, or as many as can differ")
    parser.add_argument("--seed", type=int, default=0, help="of the first episode; the others count on from it (0)")
    parser.add_argument("--revision", help="branch, tag or commit of the repository")
    parser.add_argument("--file", type=Path, metavar="OUT.json", help="write the statistics and every episode there")
    options = parser.parse_args(argv)
    if options.file is not None:
        _check_place(options.file)
    from diffsr_hub.model.env_check import check_env
    from finetune.acting.environments import different_episodes, make
    from finetune.acting.evaluation import evaluate
    from finetune.agent.agent import Agent

    agent = Agent.from_pretrained(options.source, revision=options.revision)
    env_id = options.env or str(agent.arguments["env_id"])
    with make(env_id) as env:
        check_env(agent.encoder.arguments, env, (agent.arguments["action_low"], agent.arguments["action_high"]))
    episodes = different_episodes(env_id) or EPISODES if options.episodes is None else options.episodes
    evaluation = evaluate(agent, env_id, episodes, options.seed)
    print(summary(env_id, evaluation))
    if options.file is not None:
        about = {"agent": options.source, "env": env_id, "seed": options.seed}
        write_json(options.file, {**about, **evaluation.summary()})


def _check_place(file: Path) -> None:
    """Refuse, before all the episodes, a file that cannot be written after them."""
    if file.is_dir():
        raise UserError(f"{file} is a folder; name a file, such as {file / 'evaluation.json'}")
    if not file.parent.is_dir():
        raise UserError(f"{file.parent} is no folder; make it, or name another --file")


def summary(env_id: str, evaluation: "Evaluation") -> str:
    """A line for each statistic of the episodes."""
    from diffsr_hub.studies.statistics import estimate

    numbers = evaluation.summary()
    lines = {
        "environment": env_id,
        "episodes": f"{len(evaluation.returns):,}",
        "return, mean ± std": f"{numbers['mean_return']:,.1f} ± {numbers['std_return']:,.1f}",
        "return, IQM [95 %]": format(estimate(evaluation.returns), ",.1f"),
        "steps, mean": f"{numbers['mean_length']:,.1f}",
    }
    if evaluation.success_rate is not None:
        lines["success rate"] = f"{evaluation.success_rate:.1%}"
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines.items())
