import ast
import inspect
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.model.encoder_config import Architecture
from diffsr_hub.runs.command import dump, parse
from pretrain.config import PretrainConfig

NONSENSE: list[tuple[str, Any]] = [
    *((name, 0) for name in ("max_steps", "batch_size", "validate_every", "checkpoint_every", "devices", "num_nodes")),
    *((name, 0) for name in ("threads", "feature_dim", "num_levels", "num_frequencies")),
    *((name, -1) for name in ("warmup_steps", "gradient_clip", "reward_coef", "seed")),
    *((name, float("nan")) for name in ("learning_rate", "gradient_clip", "ema_decay", "reward_coef")),
    *((name, ()) for name in ("psi_hidden", "nu_hidden")),
    *((name, (16, 0)) for name in ("psi_hidden", "nu_hidden")),
    ("learning_rate", 0.0),
    ("ema_decay", 1.0),
    ("ema_decay", -0.1),
    ("validation_fraction", 0.0),
    ("validation_fraction", 1.0),
    ("checkpoint_every", 75),
    ("seed", 2**32),
    ("batch_size", 255),
    ("dataset", " , "),
]


def read(*flags: str) -> PretrainConfig:
    return parse(PretrainConfig, flags, prog="p", description="d")


def documented() -> dict[str, str]:
    """Field → its docstring in the source."""
    bodies = [ast.parse(inspect.getsource(kind)).body[0] for kind in (Architecture, PretrainConfig)]
    found = {}
    for body in bodies:
        assert isinstance(body, ast.ClassDef)
        found |= _documented(body)
    return found


def _documented(body: ast.ClassDef) -> dict[str, str]:
    found = {}
    for first, second in zip(body.body, body.body[1:], strict=False):
        if isinstance(first, ast.AnnAssign) and isinstance(second, ast.Expr) and isinstance(second.value, ast.Constant):
            assert isinstance(first.target, ast.Name)
            found[first.target.id] = str(second.value.value)
    return found


@pytest.mark.parametrize(("name", "value"), NONSENSE)
def test_nonsense_is_refused_by_name(name, value):
    base = replace(PretrainConfig(), devices=2) if name == "batch_size" and value else PretrainConfig()
    with pytest.raises(UserError, match=name) as refusal:
        replace(base, **{name: value})
    assert "\n" not in str(refusal.value)


def test_without_flags_it_is_the_published_setting():
    assert read() == PretrainConfig()


def test_every_field_is_explained_in_the_help(capsys):
    with pytest.raises(SystemExit):
        read("--help")
    shown = " ".join(capsys.readouterr().out.split())
    explained = documented()
    for field in fields(PretrainConfig):
        assert f"--{field.name} " in shown
        assert " ".join(explained[field.name].split()).split(" (")[0] in shown


def test_words_are_separated_by_commas():
    config = PretrainConfig(dataset="mujoco/hopper, a/b-v0,", tiers="medium,expert")
    assert config.datasets == ("mujoco/hopper", "a/b-v0")
    assert config.tier_names == ("medium", "expert")
    assert PretrainConfig().tier_names == ()


def test_a_written_config_reads_back_equal(tmp_path):
    changed = PretrainConfig(
        dataset="a/b-v0,c",
        tiers="x",
        download=False,
        run_dir=Path("runs/a b"),
        resume=Path("1"),
        learning_rate=1e-5,
        psi_hidden=(7,),
        nu_hidden=(4, 4),
        score="matrix",
        ema_decay=0.999,
    )
    for config in (PretrainConfig(), changed):
        dump(config, tmp_path / "config.yaml")
        assert read("--config", str(tmp_path / "config.yaml")) == config
