"""Every kind of model is one object, and `from_pretrained` finds the right one."""

import json
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from diffsr_hub import DiffSR
from diffsr_hub.hub.publish import publish
from diffsr_hub.saved.kinds import KINDS, Kind, from_pretrained
from tests.hub.samples import CLIENTS_OWN_WARNING, NAME
from tests.hub.server import Hub
from tests.refusal import refusal

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)


def test_the_class_is_the_one_that_the_configuration_names(hub: Hub, folder: Path) -> None:
    publish(folder, NAME)
    for source in (NAME, folder):
        model = from_pretrained(source)
        assert type(model) is DiffSR and not model.training
    expected = DiffSR.from_pretrained(folder)
    obs, action = torch.randn(4, 3), torch.rand(4, 2)
    assert torch.equal(from_pretrained(NAME).psi(obs, action), expected.psi(obs, action))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_names_its_class_its_template_and_its_files(kind: Kind) -> None:
    assert kind.load_class().__name__ == kind.name
    assert (files("model_cards") / kind.template).is_file()
    assert not kind.required & kind.optional


@pytest.mark.parametrize("found", [None, 1, ["DiffSR"], "GPT"])
def test_a_folder_of_no_kind_is_refused(folder: Path, found: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": found}))
    assert "model_type" in (message := refusal(lambda: from_pretrained(folder)))
    assert message.endswith("valid: Agent, DiffSR") == isinstance(found, str)
