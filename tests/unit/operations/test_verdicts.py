from __future__ import annotations

import pytest

from streams.operations.verdicts import MEANINGS, OK, SLOW, STALLED, STOPPED, VERDICTS, Sample, verdict, worst

OWNED, ORPHAN, UNKNOWN = True, False, None


def window(*looks: tuple[int | None, int], owned: bool | None = OWNED) -> list[Sample]:
    return [Sample(committed, records, owned) for committed, records in looks]


CASES = [
    ("an empty window says nothing", [], OK),
    ("one look shows no movement", window((5, 100)), OK),
    ("one look at an orphan shows no movement either", window((5, 100), owned=ORPHAN), OK),
    ("caught up all the time", window((5, 0), (6, 0), (7, 0)), OK),
    ("idle and caught up", window((5, 0), (5, 0), (5, 0)), OK),
    ("caught up and gone: nothing waits", window((5, 0), (5, 0), owned=ORPHAN), OK),
    ("caught up once within the window", window((5, 10), (15, 0), (15, 20)), OK),
    ("nothing committed, nothing there", window((None, 0), (None, 0), owned=ORPHAN), OK),
    ("catching up", window((0, 100), (40, 60), (80, 20)), OK),
    ("catching up from nothing", window((None, 100), (40, 60), (80, 20)), OK),
    ("a steady distance is work in flight", window((0, 50), (50, 50), (100, 50)), OK),
    ("growing with a dip", window((0, 50), (50, 40), (100, 90)), OK),
    ("two looks are too few to see growth", window((0, 50), (50, 90)), OK),
    ("moving, but falling back", window((0, 50), (50, 60), (100, 90)), SLOW),
    ("falling back with a rest", window((0, 50), (50, 60), (60, 60)), SLOW),
    ("falling back and already gone", window((0, 50), (50, 60), (60, 70), owned=ORPHAN), SLOW),
    ("set back by hand", window((100, 10), (0, 110), (0, 120)), SLOW),
    ("owned and not moving", window((5, 10), (5, 10)), STALLED),
    ("owned, not moving, more arrives", window((5, 10), (5, 20), (5, 30)), STALLED),
    ("owned and nothing was ever committed", window((None, 10), (None, 10)), STALLED),
    ("not moving, and the broker does not tell who owns it", window((5, 10), (5, 10), owned=UNKNOWN), STALLED),
    ("not moving and nobody's", window((5, 10), (5, 10), owned=ORPHAN), STOPPED),
    ("never read", window((None, 10), (None, 10), owned=ORPHAN), STOPPED),
    ("its owner left during the window", [Sample(5, 10, OWNED), Sample(5, 10, ORPHAN)], STOPPED),
    ("its new owner has not begun", [Sample(5, 10, ORPHAN), Sample(5, 10, OWNED)], STALLED),
]


@pytest.mark.parametrize(("looks", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_window_has_its_verdict(looks: list[Sample], expected: str) -> None:
    assert verdict(looks) == expected


def test_every_verdict_has_a_case_and_a_meaning() -> None:
    assert {case[2] for case in CASES} == set(VERDICTS) == set(MEANINGS)


def test_a_group_is_as_bad_as_its_worst_partition() -> None:
    assert worst([]) == OK
    assert worst([OK, SLOW, OK]) == SLOW
    assert worst([STALLED, SLOW]) == STALLED
    assert worst([STOPPED, STALLED, OK]) == STOPPED
