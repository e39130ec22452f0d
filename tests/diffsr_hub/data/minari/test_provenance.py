import json
from pathlib import Path
from typing import Any

from diffsr_hub.data.minari.provenance import provenance
from diffsr_hub.data.minari.source import open_source


def test_everything_that_minari_knows_is_kept(make: Any) -> None:
    source = open_source(make("test/deep/coded-v3"))
    source.metadata.update(ref_min_score=1.0, ref_max_score=2.0)  # Minari writes them only beside an environment
    found = provenance(source)
    assert found["id"] == "test/deep/coded-v3"
    assert (found["namespace"], found["version"], found["source"]) == ("test/deep", 3, "local")
    assert (found["total_episodes"], found["total_steps"]) == (3, 13)
    assert (found["algorithm_name"], found["author"], found["description"]) == ("code", ["a"], "d")
    assert (found["ref_min_score"], found["ref_max_score"]) == (1.0, 2.0)
    assert (found["data_format"], found["env_spec"], found["behaviour"]) == ("hdf5", None, None)
    assert json.loads(json.dumps(found)) == found


def test_bundled_data_and_its_behaviour_are_told(make: Any) -> None:
    source = open_source(make("mujoco/hopper/bundled-v0"))
    source.metadata["behaviour"] = {"noise": [0.1]}
    found = provenance(source)
    assert (found["source"], found["behaviour"]) == ("bundled", {"noise": [0.1]})


def test_the_hub_revision_is_found_beside_the_data(make: Any, tmp_path: Path) -> None:
    source = open_source(make("mujoco/hopper/medium-v0"))
    note = tmp_path / "datasets/mujoco/.cache/huggingface/download/hopper/medium-v0/data/metadata.json.metadata"
    note.parent.mkdir(parents=True)
    note.write_text("0123abcd\netag\n1700000000.0\n")
    found = provenance(source)
    assert (found["source"], found["hub_revision"]) == ("remote", "0123abcd")


def test_a_spec_that_is_not_json_is_left_out(make: Any) -> None:
    source = open_source(make())
    source.metadata["env_spec"] = "{"
    assert provenance(source)["env_spec"] is None
