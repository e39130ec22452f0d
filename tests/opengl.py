"""Tests that draw, where this machine can: CI installs what it takes."""

import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.suites.pixels.opengl import open_context


def _missing() -> str:
    """Why nothing can be drawn here; empty where it can."""
    try:
        open_context(8).free()
    except UserError as error:
        return str(error)
    return ""


_why_not = _missing()
needs_opengl = pytest.mark.skipif(bool(_why_not), reason=_why_not)
