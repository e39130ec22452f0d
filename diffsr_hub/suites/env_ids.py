"""Ids of environments, which Gymnasium lets be written in several ways."""

import re

_VERSION = re.compile(r"(.+)-v(\d+)")


def registered(env_id: str) -> str:
    """The id under which Gymnasium has what `env_id` makes: without a module in front, with its newest version.

    Wherever ids are compared or looked up, it is these.

    Args:
        env_id: Such as `Hopper-v5`, `finetune.tasks:diffsr/Hopper-jump-v0` or `Hopper`.
    """
    name = env_id.rpartition(":")[2]
    return name if _VERSION.fullmatch(name) else _newest(name)


def _newest(name: str) -> str:
    """The newest version of an environment that Gymnasium knows now, or the name itself."""
    import gymnasium

    matches = (_VERSION.fullmatch(known) for known in gymnasium.registry)
    versions = [int(match[2]) for match in matches if match and match[1] == name]
    return f"{name}-v{max(versions)}" if versions else name
