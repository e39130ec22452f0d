"""The names of Meta-World's tasks and of its groups, known without the package: a test compares them with it."""

from diffsr_hub.errors import UserError, unknown

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
_WITHOUT = "-without-"


def is_meta_world(word: str) -> bool:
    """Whether a word is meant for Meta-World, be it a task of it or not."""
    return word.startswith(f"{NAMESPACE}/")


def is_group(word: str) -> bool:
    """Whether a word is meant for a group, or for one without a task, be there such a one or not."""
    return word in GROUPS or (is_meta_world(word) and _WITHOUT in word)


def members(word: str) -> tuple[str, ...]:
    """The tasks that a word names: of a group all, sorted, or all but one, or the task itself.

    Raises:
        UserError: It is none of these.
    """
    if word in GROUPS:
        return GROUPS[word]
    if is_group(word):
        return _all_but_one(word)
    if word not in TASKS:
        raise unknown_task(word)
    return (word,)


def is_known(word: str) -> bool:
    """Whether a word names tasks, as `members` would find."""
    try:
        return bool(members(word))
    except UserError:
        return False


def unknown_task(word: str) -> UserError:
    """The error for a word that is no task, with what it may have meant."""
    if word in GROUPS:
        return UserError(f"{word} is a group; name one of its tasks: {', '.join(GROUPS[word])}")
    return unknown("Meta-World task or group", word, (*TASKS, *GROUPS))


def _all_but_one(word: str) -> tuple[str, ...]:
    """Of `metaworld/mt50-without-door-open-v3`."""
    group, _, name = word.partition(_WITHOUT)
    task = f"{NAMESPACE}/{name}"
    if group not in GROUPS:
        raise unknown("Meta-World group", group, GROUPS)
    if task not in TASKS:
        raise unknown("Meta-World task", task, TASKS)
    if task not in GROUPS[group]:
        raise UserError(f"{word!r}: {group} does not have {task}: write {group}")
    return tuple(member for member in GROUPS[group] if member != task)
