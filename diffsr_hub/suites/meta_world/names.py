"""The names of Meta-World's tasks and of its groups, known without the package: a test compares them with it."""

NAMESPACE = "metaworld"


def _names(text: str) -> tuple[str, ...]:
    return tuple(f"{NAMESPACE}/{name}-v3" for name in text.split())


_ML10_TRAIN = _names("""
    basketball button-press-topdown door-open drawer-close peg-insert-side pick-place push reach sweep
    window-open
""")
_ML10_TEST = _names("""
    door-close drawer-open lever-pull shelf-place sweep-into
""")
_ML45_TRAIN = _names("""
    assembly basketball button-press-topdown button-press-topdown-wall button-press button-press-wall
    coffee-button coffee-pull coffee-push dial-turn disassemble door-close door-open drawer-close drawer-open
    faucet-close faucet-open hammer handle-press-side handle-press handle-pull-side handle-pull lever-pull
    peg-insert-side peg-unplug-side pick-out-of-hole pick-place pick-place-wall plate-slide-back-side
    plate-slide-back plate-slide-side plate-slide push-back push push-wall reach reach-wall shelf-place soccer
    stick-pull stick-push sweep-into sweep window-close window-open
""")
_ML45_TEST = _names("""
    bin-picking box-close door-lock door-unlock hand-insert
""")
_MT10 = _names("""
    button-press-topdown door-open drawer-close drawer-open peg-insert-side pick-place push reach window-close
    window-open
""")

_PAPER8 = _names("""
    bin-picking box-close button-press door-open drawer-close hammer stick-push sweep
""")

TASKS = tuple(sorted(_ML45_TRAIN + _ML45_TEST))
"""all 50, such as metaworld/door-open-v3: the id of an environment, and the namespace of its datasets"""
GROUPS = {
    f"{NAMESPACE}/ml10-train": _ML10_TRAIN,
    f"{NAMESPACE}/ml10-test": _ML10_TEST,
    f"{NAMESPACE}/ml45-train": _ML45_TRAIN,
    f"{NAMESPACE}/ml45-test": _ML45_TEST,
    f"{NAMESPACE}/mt10": _MT10,
    f"{NAMESPACE}/mt50": TASKS,
    f"{NAMESPACE}/paper8": _PAPER8,
}
"""what a name stands for in place of a task; paper8 is ours: those of Diff-SR's paper"""
