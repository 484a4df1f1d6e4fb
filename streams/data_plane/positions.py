"""Where the group stands: an answer that is no answer must not read as "nothing was ever committed".

While a coordinator is loading (a broker has just come back), it answers a request for committed offsets with one
error for the whole group and no partitions. aiokafka looks at errors of partitions only and finds no offsets, so
that everything would be read again from its beginning.

Relies on aiokafka: ``OffsetFetchRequest`` and the ``error_code`` of its answer;
``GroupCoordinator.fetch_committed_offsets`` asking again after an error that is ``retriable``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiokafka.errors import NotCoordinatorForGroupError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest


def require_answer(request: Any, answer: Any, coordinator_dead: Callable[[], None]) -> Any:
    """The answer, unless it is an error in place of committed offsets: raises that error."""
    code = answer.error_code if isinstance(request, OffsetFetchRequest) and hasattr(answer, "error_code") else 0
    if not code:
        return answer
    if code == NotCoordinatorForGroupError.errno:
        coordinator_dead()
    raise for_code(code)(f"{request} was not answered")
