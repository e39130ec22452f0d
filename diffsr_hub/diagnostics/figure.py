"""The diagnostics report as one picture for a talk."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from diffsr_hub.presentation.picture import BLUE, GREEN, ORANGE, PURPLE, write_picture

_GREY, _DARK = "#8A8A8A", "#222222"
_INPUTS = {"psi": ("ψ", BLUE), "random_psi": ("random ψ", ORANGE), "raw": ("raw (s, a)", _GREY)}
_LEVELS = {
    "constant": ("constant", _GREY, ":"),
    "random_encoder": ("random encoder", ORANGE, "-"),
    "without_state_action": ("Gaussian without (s, a)", PURPLE, "--"),
    "linear_dynamics": ("linear-Gaussian dynamics", GREEN, "-."),
    "encoder": ("this encoder", BLUE, "-"),
}
_PROBES = {
    "reward": "reward",
    "next_obs": "next\nstate",
    "change": "change\nof state",
    "return": "return",
    "return_fourier": "return,\nFourier $\\varphi_\\omega$",
}
_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "legend.edgecolor": "none",
    "legend.borderpad": 0.1,
    "legend.fontsize": 10,
}


def draw(report: Mapping[str, Any], file: Path, title: str) -> None:
    """Draw a report of `diagnose` as a PNG of 1650 × 1125 pixels; the same report gives the same bytes.

    Args:
        report: From `diagnose`.
        file: Replaced atomically.
        title: One line above the panels.
    """
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12, rect=(0, 0.03, 1, 0.97))
    with style.context(["default", _STYLE]):
        figure = Figure(figsize=(11, 7.5), layout=layout)
        FigureCanvasAgg(figure)
        panels = figure.subplots(2, 2)
        _losses(panels[0, 0], report["loss"])
        _probes(panels[0, 1], report["probes"])
        _spectra(panels[1, 0], report["spectrum"])
        _samples(panels[1, 1], report["samples"])
        figure.suptitle(_flat(title), fontsize=15, fontweight="bold", x=0.01, ha="left")
        figure.text(0.012, 0.012, _footer(report), color=_GREY, fontsize=9)
        write_picture(figure, file)


def _losses(panel: Any, loss: Mapping[str, Any]) -> None:
    for name, (label, colour, line) in _LEVELS.items():
        width = 2.6 if name == "encoder" else 1.7
        values = loss["per_level"][name]
        panel.plot(range(len(values)), values, line, color=colour, linewidth=width, label=label)
    share = loss["mean"]["encoder"] / loss["mean"]["linear_dynamics"]
    panel.set(yscale="log", xlabel="noise level (0 = least noise)", ylabel="held-out loss per dimension")
    low, high = panel.get_ylim()
    panel.set_ylim(low, high * (high / low) ** 0.5)  # room for the legend
    panel.set_title(f"Denoising loss: {share:.2g} × that of linear dynamics")
    handles, labels = panel.get_legend_handles_labels()
    panel.legend(handles[::-1], labels[::-1], loc="upper left", ncols=2, columnspacing=1.2)


def _probes(panel: Any, probes: Mapping[str, Mapping[str, float]]) -> None:
    width = 0.27
    for i, (name, (label, colour)) in enumerate(_INPUTS.items()):
        values = [probes[target][name] for target in _PROBES]
        places = [k + (i - 1) * width for k in range(len(values))]
        # Below zero means worse than the mean: no information.
        bars = panel.bar(places, [max(value, 0.0) for value in values], width * 0.94, color=colour, label=label)
        panel.bar_label(
            bars, [_short(value).removeprefix("0") for value in values], padding=2, fontsize=7.5, color=_DARK
        )
    panel.set_xticks(range(len(_PROBES)), list(_PROBES.values()))
    panel.set(ylim=(0, 1.24), yticks=[0, 0.25, 0.5, 0.75, 1], ylabel="R² on held-out episodes")
    panel.grid(visible=False, axis="x")
    best = probes["change"]
    panel.set_title(f"Change of state: R² {_short(best['psi'])} from ψ, {_short(best['raw'])} from (s, a)")
    panel.legend(loc="upper center", ncols=3)


def _spectra(panel: Any, spectra: Mapping[str, Any]) -> None:
    for name, (symbol, colour) in _INPUTS.items():
        values, rank = spectra[name]["singular_values"], spectra[name]["effective_rank"]
        label = f"{symbol}: effective rank {rank:.1f} of {len(values)}"
        panel.plot(
            range(1, len(values) + 1), values, color=colour, linewidth=2.6 if name == "psi" else 1.7, label=label
        )
    rank, size = spectra["psi"]["effective_rank"], len(spectra["psi"]["singular_values"])
    panel.set(yscale="log", xlabel="singular value", ylabel="relative to the largest")
    panel.set_ylim(bottom=max(panel.get_ylim()[0], 1e-6))
    panel.set_title(f"Spectrum: ψ uses about {rank:.0f} of {size} directions")
    panel.legend(loc="upper right")


def _samples(panel: Any, samples: Mapping[str, Any]) -> None:
    from matplotlib.ticker import LogLocator

    rmse, spread = samples["rmse"], samples["spread"]
    points = [value for value in [*rmse, *spread] if value > 0] or [1.0]
    low, high = min(points) / 1.5, max(points) * 1.5
    panel.plot([low, high], [low, high], color=_DARK, linewidth=1.2, label="calibrated")
    panel.plot([low, high], [2 * low, 2 * high], ":", color=_GREY, linewidth=1.2, label="a factor of 2")
    panel.plot([low, high], [low / 2, high / 2], ":", color=_GREY, linewidth=1.2)
    panel.scatter(rmse, spread, s=60, color=BLUE, edgecolor="white", zorder=3, label="one dimension of the state")
    panel.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    panel.set(xlabel="error of the samples' mean  (std of the change = 1)", ylabel="spread of the samples")
    error, ratio = (median(samples[name] or [0.0]) for name in ("rmse", "spread_over_rmse"))
    panel.set_title(f"Samples of s′: error {_short(error)} std, spread {ratio:.2g} × error")
    panel.legend(loc="best")


def _short(value: float) -> str:
    """Two decimals, without turning 0.998 into 1.00."""
    if 0.995 <= value < 1:
        return f"{value:.3f}" if value < 0.9995 else ">.999"
    return f"{value:.2f}" if value > -1 else "< −1"


def _footer(report: Mapping[str, Any]) -> str:
    used, held = report["transitions"], report["episodes"]
    return (
        f"Measured on {used['validation']:,} transitions of {held['validation']:,} held-out episodes; "
        f"probes fitted on {used['train']:,} of {held['train']:,} training episodes. "
        f"Discount {report['discount']:g}; seed {report['seed']}."
    )


def _flat(title: str) -> str:
    """One line that matplotlib does not take for mathematics."""
    return " ".join(title.split()).replace("$", r"\$")
