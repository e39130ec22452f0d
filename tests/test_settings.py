"""Whatever settings a run has, what is written of them is read back equal: all fields of all our configurations."""

from dataclasses import fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from diffsr_hub.errors import UserError
from diffsr_hub.runs.command import dump, parse
from finetune.config import FinetuneConfig
from finetune.sweep.verb import SweepConfig
from pretrain.config import PretrainConfig

CONFIGS = [PretrainConfig(), FinetuneConfig(encoder="org/encoder", offline_dataset="a/b"), SweepConfig(tasks="a")]
AMBIGUOUS = st.sampled_from(
    [*("1e-3", "12e4567", "1e3", "on", "1:30", "null", "~", "0x10", "yes", "010", "1_000", "true", ".inf", "[a]"),
     *("{a: 1}", "a: b", "# x", "-", "!x", "&a", "*a", "2001-01-01", "<<", "=", "'", '"', "None", "%", "a\nb", " ")]
)  # fmt: skip
TEXTS = AMBIGUOUS | st.text()
NUMBERS = st.integers(1, 10**6) | st.sampled_from([2**31 - 1, 2**31, 2**32 - 1])
RATES = st.floats(0, 1) | st.floats(0, allow_nan=False, allow_infinity=False) | st.sampled_from([1e-3, 1e-5, 1e16])


def values(kind: Any) -> st.SearchStrategy[Any]:
    """What a field of some type may hold."""
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        return st.one_of([values(part) for part in get_args(kind)])
    if get_origin(kind) is tuple:
        return st.lists(st.integers(1, 999), min_size=1, max_size=4).map(tuple)
    if get_origin(kind) is dict:
        keys = st.text(st.characters(categories=("Ll",)), min_size=1)
        return st.dictionaries(keys, st.integers() | st.booleans() | st.lists(st.integers()))
    simple = {str: TEXTS, int: NUMBERS, float: RATES, bool: st.booleans(), NoneType: st.none()}
    return simple[kind] if kind is not Path else TEXTS.filter(is_path).map(Path)


def is_path(text: str) -> bool:
    """Whether a text is a path of its own: `~` is the home folder instead."""
    return "\0" not in text and not str(Path(text)).startswith("~")


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_written_settings_are_read_back_equal(config: Any, data: st.DataObject, tmp_path: Path) -> None:
    kinds = get_type_hints(type(config))
    name = data.draw(st.sampled_from([field.name for field in fields(config)]))
    try:
        changed = replace(config, **{name: data.draw(values(kinds[name]))})
    except UserError:
        assume(False)
    dump(changed, tmp_path / "config.yaml")
    read = parse(type(config), ["--config", str(tmp_path / "config.yaml")], prog="", description="")
    assert read == changed


@pytest.mark.parametrize("text", ["1e-3", "12e4567", "on", "1:30", "null", "0x10"])
def test_a_printed_config_is_read_back_equal(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--encoder", text, "--actor_hidden", "[3, 4]"]
    with pytest.raises(SystemExit):
        parse(FinetuneConfig, [*given, "--print_config"], prog="", description="")
    (tmp_path / "my.yaml").write_text(capsys.readouterr().out, encoding="utf-8")
    read = parse(FinetuneConfig, ["--config", str(tmp_path / "my.yaml")], prog="", description="")
    assert read == parse(FinetuneConfig, given, prog="", description="")
