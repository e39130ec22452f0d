"""The encoder's promises: raw units everywhere, any leading shape, one energy, the same numbers after loading."""

import copy
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from diffsr_hub import DiffSR, Transitions, UserError

Make = Callable[..., DiffSR]
KINDS: list[dict[str, Any]] = [
    {},
    {"psi_network": "residual", "psi_hidden": (8, 8), "schedule": "cosine", "nu_hidden": (7,)},
    {"score": "matrix", "schedule": "linear", "predict_reward": True},
]
everywhere = pytest.mark.parametrize("kind", KINDS, ids=["gradient", "residual", "matrix"])


def raw(model: DiffSR, *leading: int, seed: int = 1) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Observation, action, next observation and level, the observations in the model's raw units."""
    generator = torch.Generator().manual_seed(seed)
    obs_dim, action_dim = len(model.obs_mean), model.arguments["action_dim"]
    obs, next_obs = torch.randn(2, *leading, obs_dim, generator=generator) * model.obs_std + model.obs_mean
    action = torch.rand(*leading, action_dim, generator=generator) * 2 - 1
    level = torch.randint(model.schedule.num_levels, leading, generator=generator)
    return obs, action, next_obs, level


def outputs(model: DiffSR, *leading: int) -> dict[str, Tensor]:
    """What every method returns on the same input."""
    obs, action, next_obs, level = raw(model, *leading)
    batch = Transitions(obs, action, obs[..., 0], next_obs, level > 0)
    result = {
        "psi": model.psi(obs, action),
        "features": model.features(obs, action),
        "score": model.score(obs, action, next_obs, level),
        "denoising_residual": model.denoising_residual(batch, level, next_obs),
        "sample_next_obs": model.sample_next_obs(obs, action, torch.Generator().manual_seed(2)),
    }
    if model.arguments["predict_reward"]:
        result["predict_reward"] = model.predict_reward(obs, action)
    if model.arguments["score"] == "gradient":
        result["nu"] = model.nu(next_obs, level)
        result["energy"] = model.energy(obs, action, next_obs, level)
    return result


# --- energy and score ------------------------------------------------------------------------------------------------


def test_score_is_the_gradient_of_the_energy_in_raw_units(make_encoder: Make) -> None:
    model = make_encoder(obs_dim=11).double()
    obs, action, next_obs, level = (x.double() if x.is_floating_point() else x for x in raw(model, 64))
    next_obs.requires_grad_()
    (gradient,) = torch.autograd.grad(model.energy(obs, action, next_obs, level).sum(), next_obs)
    torch.testing.assert_close(model.score(obs, action, next_obs, level), gradient, rtol=1e-10, atol=1e-10)
    assert gradient.abs().min() > 0


def test_energy_is_the_inner_product_of_psi_and_nu(make_encoder: Make) -> None:
    model = make_encoder()
    obs, action, next_obs, level = raw(model, 9)
    product = torch.einsum("bd,bd->b", model.psi(obs, action), model.nu(next_obs, level))
    torch.testing.assert_close(model.energy(obs, action, next_obs, level), product)


def test_psi_cannot_depend_on_the_level() -> None:
    assert list(inspect.signature(DiffSR.psi).parameters) == ["self", "obs", "action"]


def test_a_matrix_encoder_says_that_it_has_no_nu(make_encoder: Make) -> None:
    model = make_encoder(score="matrix")
    obs, action, next_obs, level = raw(model, 2)
    with pytest.raises(UserError, match="nu needs ν, which an encoder with score='matrix' does not have"):
        model.nu(next_obs, level)
    with pytest.raises(UserError, match="energy needs ν"):
        model.energy(obs, action, next_obs, level)


# --- raw units -------------------------------------------------------------------------------------------------------


@everywhere
def test_raw_units_with_statistics_are_normalised_units_without(make_encoder: Make, kind: dict[str, Any]) -> None:
    model = make_encoder(**kind)
    plain = copy.deepcopy(model)
    plain.set_statistics(torch.zeros(3), torch.ones(3), torch.tensor(0.0), torch.tensor(1.0))
    obs, action, next_obs, level = raw(model, 8)
    mean, std = model.obs_mean, model.obs_std
    near, next_near = (obs - mean) / std, (next_obs - mean) / std
    assert torch.equal(model.psi(obs, action), plain.psi(near, action))
    assert torch.equal(model.score(obs, action, next_obs, level) * 1, plain.score(near, action, next_near, level) / std)
    one, other = (
        m.sample_next_obs(o, action, torch.Generator().manual_seed(0)) for m, o in ((model, obs), (plain, near))
    )
    torch.testing.assert_close(one, other * std + mean)


def test_reward_is_predicted_in_the_units_of_the_data(make_encoder: Make) -> None:
    model = make_encoder(predict_reward=True)
    obs, action, *_ = raw(model, 5)
    assert model.reward_head is not None
    expected = model.reward_head(model.psi(obs, action))[:, 0] * 2.5 + 1.5
    assert torch.equal(model.predict_reward(obs, action), expected)


def test_an_encoder_without_reward_head_says_so(make_encoder: Make) -> None:
    model = make_encoder()
    with pytest.raises(UserError, match="no reward head"):
        model.predict_reward(*raw(model, 2)[:2])


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("place", ["obs_std", "reward_std"])
def test_statistics_that_cannot_normalise_are_refused(make_encoder: Make, place: str, wrong: float) -> None:
    model = make_encoder()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    statistics = {
        "obs_mean": torch.zeros(3),
        "obs_std": torch.ones(3),
        "reward_mean": torch.tensor(0.0),
        "reward_std": torch.tensor(1.0),
    }
    statistics[place].view(-1)[-1] = wrong
    with pytest.raises(UserError, match=f"{place} must be positive and finite"):
        model.set_statistics(**statistics)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


# --- shapes ----------------------------------------------------------------------------------------------------------


@everywhere
def test_leading_shapes_agree(make_encoder: Make, kind: dict[str, Any]) -> None:
    model = make_encoder(**kind)
    obs, action, next_obs, level = raw(model, 4, 5)

    def call(*index: Any) -> dict[str, Tensor]:
        one, two, three, four = (x[index] for x in (obs, action, next_obs, level))
        found = {
            "psi": model.psi(one, two),
            "features": model.features(one, two),
            "score": model.score(one, two, three, four),
        }
        if model.arguments["score"] == "gradient":
            found |= {"nu": model.nu(three, four), "energy": model.energy(one, two, three, four)}
        return found

    whole = call(slice(None))
    for name, value in whole.items():
        torch.testing.assert_close(call(2)[name], value[2])
        torch.testing.assert_close(call(2, 3)[name], value[2, 3])


@pytest.mark.parametrize("leading", [(), (4,), (4, 5), (0,)], ids=str)
@everywhere
def test_every_method_has_its_documented_shape(
    make_encoder: Make, kind: dict[str, Any], leading: tuple[int, ...]
) -> None:
    sizes = {"psi": (6,), "nu": (6,), "features": (8,), "energy": (), "predict_reward": ()}
    for name, value in outputs(make_encoder(**kind), *leading).items():
        assert value.shape == (*leading, *sizes.get(name, (3,))), name
        assert value.isfinite().all()


@everywhere
def test_levels_broadcast_against_observations(make_encoder: Make, kind: dict[str, Any]) -> None:
    model = make_encoder(**kind)
    obs, action, next_obs, _ = raw(model, 4)
    scalar = model.score(obs, action, next_obs, torch.tensor(3))
    torch.testing.assert_close(scalar, model.score(obs, action, next_obs, torch.full((4,), 3)))
    every = model.score(obs[0], action[0], next_obs[0], torch.arange(5))
    torch.testing.assert_close(every[3], scalar[0])
    table = model.score(obs, action, next_obs, torch.arange(5)[:, None])
    torch.testing.assert_close(table[3], scalar)


def test_energies_of_all_pairs_come_from_broadcasting(make_encoder: Make) -> None:
    model = make_encoder()
    obs, action, next_obs, _ = raw(model, 4)
    table = model.energy(obs[:, None], action[:, None], next_obs, torch.tensor(1))
    expected = model.psi(obs, action) @ model.nu(next_obs, torch.full((4,), 1)).T
    torch.testing.assert_close(table, expected)


# --- sampling --------------------------------------------------------------------------------------------------------


def test_sampling_repeats_with_its_generator_and_leaves_the_global_one_alone(make_encoder: Make) -> None:
    model = make_encoder()
    obs, action, *_ = raw(model, 4)
    state = torch.get_rng_state()
    first, again, other = (model.sample_next_obs(obs, action, torch.Generator().manual_seed(s)) for s in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not first.requires_grad


# --- saving and loading ----------------------------------------------------------------------------------------------


@everywhere
def test_loading_gives_back_every_bit(make_encoder: Make, kind: dict[str, Any], tmp_path: Path) -> None:
    model = make_encoder(obs_dim=17, action_dim=6, **kind).eval()
    model.save_pretrained(tmp_path)
    loaded = DiffSR.from_pretrained(tmp_path)
    assert loaded.arguments == model.arguments
    assert not loaded.training
    state, stored = model.state_dict(), loaded.state_dict()
    assert list(stored) == list(state)
    assert all(torch.equal(stored[name], state[name]) for name in state)
    for leading in ((), (33,)):
        before, after = outputs(model, *leading), outputs(loaded, *leading)
        assert all(torch.equal(after[name], before[name]) for name in before)


def test_loading_gives_back_every_bit_at_the_default_sizes(tmp_path: Path) -> None:
    model = DiffSR(11, 3).eval()
    model.save_pretrained(tmp_path)
    loaded = DiffSR.from_pretrained(tmp_path)
    for leading in ((), (7,), (256,)):
        before, after = outputs(model, *leading), outputs(loaded, *leading)
        assert all(torch.equal(after[name], before[name]) for name in before)


def test_loaded_tensors_are_aligned_like_fresh_ones(make_encoder: Make, tmp_path: Path) -> None:
    # Matrix products may take other paths, with other rounding, at other alignments.
    make_encoder(obs_dim=17, feature_dim=7).save_pretrained(tmp_path)
    assert {tensor.data_ptr() % 64 for tensor in DiffSR.from_pretrained(tmp_path).state_dict().values()} == {0}


def test_state_holds_statistics_schedule_frequencies_and_the_sampler_table(make_encoder: Make) -> None:
    buffers = {"obs_mean", "obs_std", "reward_mean", "reward_std", "unexplained", "fourier.omega"}
    schedule = {"score_network.schedule.beta", "score_network.schedule.code"}
    model = make_encoder()
    assert set(dict(model.named_buffers())) == buffers | schedule
    assert buffers | schedule <= set(model.state_dict())


def test_config_holds_exactly_the_constructors_arguments(make_encoder: Make, tmp_path: Path) -> None:
    model = make_encoder(score="matrix", predict_reward=True)
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config.pop("model_type") == "DiffSR" and config.pop("format_version") == 1
    assert list(config) == [
        name for name in inspect.signature(DiffSR).parameters if name not in ("obs_parts", "obs_shape", "view")
    ]
    assert DiffSR(**config).arguments == model.arguments == config


def test_saving_again_after_loading_writes_the_same_bytes(make_encoder: Make, tmp_path: Path) -> None:
    make_encoder().save_pretrained(tmp_path / "first")
    for again in range(8):
        DiffSR.from_pretrained(tmp_path / "first").save_pretrained(tmp_path / str(again))
        for name in ("config.json", "model.safetensors"):
            assert (tmp_path / "first" / name).read_bytes() == (tmp_path / str(again) / name).read_bytes()


def test_a_loaded_encoder_can_be_saved_over_itself(make_encoder: Make, tmp_path: Path) -> None:
    make_encoder().save_pretrained(tmp_path)
    loaded = DiffSR.from_pretrained(tmp_path)
    expected = outputs(loaded, 4)
    loaded.save_pretrained(tmp_path)
    again = outputs(DiffSR.from_pretrained(tmp_path), 4)
    assert all(torch.equal(again[name], expected[name]) for name in expected)


def test_a_loaded_encoder_can_be_trained(make_encoder: Make, tmp_path: Path) -> None:
    make_encoder(predict_reward=True).save_pretrained(tmp_path)
    loaded = DiffSR.from_pretrained(tmp_path)
    obs, action, next_obs, level = raw(loaded, 4)
    loss = loaded.score(obs, action, next_obs, level).square().mean() + loaded.predict_reward(obs, action).mean()
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(loss, list(loaded.parameters())))


def test_saving_another_precision_is_refused(make_encoder: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"float64.*only float32"):
        make_encoder().double().save_pretrained(tmp_path / "encoder")
    assert not (tmp_path / "encoder").exists()


# --- moving and copying ----------------------------------------------------------------------------------------------


@everywhere
def test_everything_moves_with_the_module(make_encoder: Make, kind: dict[str, Any]) -> None:
    model = make_encoder(**kind)
    double = copy.deepcopy(model).double()
    assert {tensor.dtype for tensor in double.state_dict().values()} == {torch.float64}
    obs, action, next_obs, level = raw(model, 6)
    exact = double.score(obs.double(), action.double(), next_obs.double(), level)
    torch.testing.assert_close(model.score(obs, action, next_obs, level).double(), exact, rtol=1e-4, atol=1e-4)
    assert all(tensor.is_meta for tensor in copy.deepcopy(model).to("meta").state_dict().values())


def test_a_deep_copy_is_equal_and_separate(make_encoder: Make) -> None:
    model = make_encoder()
    twin = copy.deepcopy(model)
    before = outputs(model, 4)
    assert all(torch.equal(value, before[name]) for name, value in outputs(twin, 4).items())
    with torch.no_grad():
        for tensor in twin.state_dict().values():
            tensor.add_(1)
    assert all(torch.equal(value, before[name]) for name, value in outputs(model, 4).items())


# --- constructor -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"obs_dim": 0}, "obs_dim must be an integer from 1 to 65,536, got 0"),
        ({"action_dim": -1}, "action_dim must be an integer from 1 to 65,536, got -1"),
        ({"feature_dim": 10**12}, "feature_dim must be an integer from 1 to 65,536, got 1000000000000"),
        ({"feature_dim": 10**4000}, "feature_dim must be an integer"),
        ({"num_levels": "50"}, "num_levels must be an integer from 1 to 65,536, got '50'"),
        ({"num_levels": 50.0}, "num_levels must be an integer from 1 to 65,536, got 50.0"),
        ({"num_frequencies": float("nan")}, "num_frequencies must be an integer from 1 to 65,536, got nan"),
        ({"obs_dim": True}, "obs_dim must be an integer from 1 to 65,536, got True"),
        ({"psi_hidden": 256}, "psi_hidden must be a list of 1 to 64 widths, got 256"),
        ({"psi_hidden": "256"}, "psi_hidden must be a list of 1 to 64 widths, got '256'"),
        ({"psi_hidden": None}, "psi_hidden must be a list of 1 to 64 widths, got None"),
        ({"psi_hidden": {"8": 8}}, "psi_hidden must be a list of 1 to 64 widths"),
        ({"nu_hidden": ()}, r"nu_hidden must be a list of 1 to 64 widths, got \(\)"),
        ({"psi_hidden": [8] * 10**6}, "psi_hidden must be a list of 1 to 64 widths"),
        ({"nu_hidden": (8, 0)}, "every width of nu_hidden must be an integer from 1 to 65,536, got 0"),
        ({"nu_hidden": (8, 8.5)}, "every width of nu_hidden must be an integer"),
        ({"psi_network": "resnet"}, "psi_network is 'resnet'; choose one of mlp, residual"),
        ({"psi_network": ["mlp"]}, "psi_network is .*; choose one of mlp, residual"),
        ({"score": "energy"}, "score is 'energy'; choose one of gradient, matrix"),
        ({"schedule": "sigmoid"}, "schedule is 'sigmoid'; choose one of vp, linear, cosine"),
        ({"predict_reward": "yes"}, "predict_reward must be true or false, got 'yes'"),
        ({"predict_reward": 1}, "predict_reward must be true or false, got 1"),
        ({"psi_network": "residual", "psi_hidden": (8, 9)}, "psi_hidden must be equal widths .*psi_network='residual'"),
        ({"score": "matrix", "nu_hidden": (8, 9)}, "nu_hidden must be equal widths .*score='matrix'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_arguments_that_no_encoder_has_are_refused_in_one_short_line(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        DiffSR(**{"obs_dim": 3, "action_dim": 2, **wrong})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_every_public_name_exists() -> None:
    import diffsr_hub

    assert {"DiffSR", "Transitions", "UserError"} <= set(diffsr_hub.__all__)
    assert all(hasattr(diffsr_hub, name) for name in diffsr_hub.__all__)
