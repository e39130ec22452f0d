"""What a server does wrong on purpose, the next few times that a request fits."""

import re
from dataclasses import dataclass, field
from typing import Literal


@dataclass
class Fault:
    """One kind of misbehaviour.

    Args:
        request: Regular expression on `METHOD /path`.
        does: `status` answers with an error, `hang up` closes before answering, `stop reading` in the middle of what is
            sent; `cut` does what was asked and closes in the middle of the answer, while `truncate` and `alter` answer
            whole with other bytes than were announced.
        times: How often, before the server behaves again.
        status: Of the error.
        headers: Of the error, such as `Retry-After`.
    """

    request: str
    does: Literal["status", "hang up", "stop reading", "cut", "truncate", "alter"] = "status"
    times: int = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)

    def fits(self, request: str) -> bool:
        """Whether it happens to this request; counts down."""
        if self.times < 1 or not re.search(self.request, request):
            return False
        self.times -= 1
        return True
