"""Names that the Hub would not take are refused before it is asked."""

from pathlib import Path

import pytest

from diffsr_hub.hub.names import check_ref, check_repository
from tests.hub.publishing import refusal
from tests.hub.samples import CLIENTS_OWN_WARNING
from tests.hub.server import Hub

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)


@pytest.mark.parametrize(
    "name", ["", "bad name", "a..b", "x" * 101, "-x", "a/", "a//b", "v1.lock", "refs/pr/1", "v1\n", "0" * 40]
)
@pytest.mark.parametrize("flag", ["revision", "tag"])
def test_a_name_that_the_hub_would_not_take_is_refused_before_it_is_asked(
    hub: Hub, folder: Path, flag: str, name: str
) -> None:
    assert f"--{flag} " in refusal(folder, **{flag: name})
    assert hub.requests == []


@pytest.mark.parametrize("name", ["v1", "v1.0", "wide/net", "a_b-c", "x" * 100])
def test_ordinary_names_pass(name: str) -> None:
    check_ref("--tag", name)
    check_repository("org/diffsr-hopper")
