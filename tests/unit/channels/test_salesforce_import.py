from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from aiohttp.test_utils import TestServer

from connectors.channels.base import Outcome, Result, Update
from connectors.channels.bulk import BulkRoute
from connectors.channels.kind import CallLimits
from connectors.channels.salesforce import SalesforceSink
from connectors.channels.salesforce_import import MOST_LOOKS, PAUSE_S
from streams.demo.shops.vendor import Fault
from tests.conformance.rig import Clock, update
from tests.fakes.salesforce_imports import TENANT, FakeSalesforceImports
from tests.unit.channels.test_salesforce import settings


class Bench:
    """Imports from three waiting listings on, at most four in one, and a clock that moves when told."""

    def __init__(self, fake: FakeSalesforceImports, address: str) -> None:
        self.fake = fake
        self.clock = Clock()
        own = settings(address, import_url=address + TENANT, import_worth=3, import_records=4, import_settle_s=30)
        self.sink = SalesforceSink(own, CallLimits(100, longest_retry_after_s=1_000.0), self.clock.monotonic)
        assert self.sink.bulk is not None
        self.route: BulkRoute = self.sink.bulk

    async def import_all(self, batch: Sequence[Update], most_steps: int = 40) -> list[Result]:
        """Submit, and go on until every update is answered."""
        self.route.submit(batch)
        results: list[Result] = []
        for _ in range(most_steps):
            results += await self.route.go_on()
            if len(results) == len(batch):
                return results
            self.clock.advance(1.0)
        return results

    def outcomes(self, results: Sequence[Result]) -> dict[str, tuple[Outcome, str | None]]:
        return {one.listing: (one.outcome, one.reason) for one in results}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    fake = FakeSalesforceImports()
    server = TestServer(fake.app(), host="127.0.0.1")
    async with server:
        found = Bench(fake, str(server.make_url("/")).rstrip("/"))
        await found.sink.open()
        yield found
        await found.sink.close()


def three() -> list[Update]:
    return [update(listing, 1, quantity) for quantity, listing in enumerate("ABC", 1)]


async def test_an_import_is_initiated_uploaded_looked_at_and_judged(bench: Bench) -> None:
    results = await bench.import_all(three())
    assert bench.outcomes(results) == dict.fromkeys("ABC", (Outcome.ACCEPTED, None))
    assert bench.fake.taken == [("A", 1), ("B", 2), ("C", 3)]
    assert (len(bench.fake.uploads), bench.fake.looks) == (1, 3)


async def test_without_an_address_there_is_no_import() -> None:
    assert SalesforceSink(settings("http://127.0.0.1:1"), CallLimits(100)).bulk is None


async def test_there_is_room_for_one_import_when_it_is_worth_one(bench: Bench) -> None:
    assert (bench.route.room(2), bench.route.room(3), bench.route.room(9)) == (0, 4, 4)
    bench.route.submit(three())
    assert bench.route.room(9) == 0


async def test_a_record_that_fails_is_rejected_and_the_others_are_accepted(bench: Bench) -> None:
    bench.fake.refused.add("B")
    results = bench.outcomes(await bench.import_all([*three(), update("A B")]))
    assert results == {
        "A": (Outcome.ACCEPTED, None),
        "B": (Outcome.REJECTED, "SKU is not known"),
        "C": (Outcome.ACCEPTED, None),
        "A B": (Outcome.REJECTED, "SKU_CHARACTERS"),
    }


async def test_an_import_of_which_every_record_fails_says_of_each_why(bench: Bench) -> None:
    bench.fake.refused |= set("ABC")
    results = bench.outcomes(await bench.import_all(three()))
    assert set(results.values()) == {(Outcome.REJECTED, "SKU is not known")}


@pytest.mark.parametrize("status", ["FAILED", "STOPPED", "EXPIRED"])
async def test_an_import_that_failed_is_given_back_and_none_is_tried_for_a_while(
    bench: Bench, status: str
) -> None:
    bench.fake.course = ["RUNNING", status]
    results = bench.outcomes(await bench.import_all(three()))
    assert set(results.values()) == {(Outcome.RETRY, f"IMPORT_{status}")}
    assert bench.route.room(9) == 0
    bench.clock.advance(PAUSE_S)
    assert bench.route.room(9) == 4


@pytest.mark.parametrize(
    "fault", [Fault(503), Fault(429, {"Retry-After": "900"}), Fault(200, body="{}"), Fault(closed=True)]
)
async def test_an_import_that_cannot_be_initiated_is_given_back(bench: Bench, fault: Fault) -> None:
    bench.fake.next_faults.append(fault)
    results = bench.outcomes(await bench.import_all(three()))
    assert {outcome for outcome, _ in results.values()} == {Outcome.RETRY}
    bench.clock.advance(PAUSE_S)
    assert bench.route.room(9) == (0 if fault.headers else 4)


async def test_an_upload_without_an_answer_that_arrived_is_not_repeated(bench: Bench) -> None:
    bench.route.submit(three())
    await bench.route.go_on()
    bench.fake.next_faults.append(Fault(502, taken=True))
    results: list[Result] = []
    for _ in range(60):
        results += await bench.route.go_on()
        bench.clock.advance(1.0)
    assert bench.outcomes(results) == dict.fromkeys("ABC", (Outcome.ACCEPTED, None))
    assert len(bench.fake.uploads) == 1


async def test_an_upload_that_did_not_arrive_is_repeated(bench: Bench) -> None:
    bench.route.submit(three())
    await bench.route.go_on()
    bench.fake.next_faults.append(Fault(closed=True))
    results: list[Result] = []
    for _ in range(80):
        results += await bench.route.go_on()
        bench.clock.advance(1.0)
    assert bench.outcomes(results) == dict.fromkeys("ABC", (Outcome.ACCEPTED, None))


async def test_our_token_goes_to_no_other_host(bench: Bench) -> None:
    bench.fake.foreign_links = True
    results = bench.outcomes(await bench.import_all(three()))
    assert set(results.values()) == {(Outcome.RETRY, "LINK_TO_ANOTHER_HOST")}
    assert bench.fake.uploads == []


async def test_an_import_without_end_is_unknown_after_a_bounded_time(bench: Bench) -> None:
    bench.fake.course = ["RUNNING"]
    bench.route.submit(three())
    results: list[Result] = []
    for _ in range(100):
        results += await bench.route.go_on()
        bench.clock.advance(60.0)
    assert bench.outcomes(results) == dict.fromkeys("ABC", (Outcome.UNKNOWN, "IMPORT_ENDLESS"))
    assert len(results) == 3


@pytest.mark.parametrize(
    "body", ["", "nonsense", "[]", "{}", '{"status": "FINE"}', '{"status": "FAILED"}\n{"recordId": "of another"}']
)
async def test_a_result_file_that_cannot_be_read_leaves_the_updates_unknown(bench: Bench, body: str) -> None:
    bench.fake.result_body = body
    results = bench.outcomes(await bench.import_all(three(), most_steps=90))
    assert results == dict.fromkeys("ABC", (Outcome.UNKNOWN, "NO_RESULT_FILE"))
    assert bench.fake.calls == 2 + 3 + MOST_LOOKS


async def test_an_urgent_value_gets_an_import_back_that_was_not_uploaded(bench: Bench) -> None:
    bench.route.submit(three())
    await bench.route.go_on()
    bench.route.hurry("Z")
    bench.route.hurry("B")
    results = bench.outcomes(await bench.route.go_on())
    assert results == dict.fromkeys("ABC", (Outcome.RETRY, "IMPORT_WITHDRAWN"))
    assert bench.fake.uploads == []
    assert bench.route.room(9) == 4


async def test_an_urgent_value_makes_an_uploaded_import_be_looked_at_sooner(bench: Bench) -> None:
    bench.route.submit(three())
    await bench.route.go_on()
    await bench.route.go_on()
    assert bench.fake.looks == 0
    bench.route.hurry("B")
    for looks in (1, 2, 3):
        bench.clock.advance(1.0)
        await bench.route.go_on()
        assert bench.fake.looks == looks
    assert bench.outcomes(await bench.route.go_on()) == dict.fromkeys("ABC", (Outcome.ACCEPTED, None))


async def test_listings_that_went_to_another_process_are_not_uploaded_any_more(bench: Bench) -> None:
    bench.route.submit(three())
    bench.route.given_up()
    assert bench.outcomes(await bench.route.go_on()) == dict.fromkeys("ABC", (Outcome.RETRY, "IMPORT_WITHDRAWN"))
    assert bench.fake.calls == 0


async def test_after_a_takeover_nothing_is_sent_until_a_former_import_counts_as_ended(bench: Bench) -> None:
    assert bench.route.hold_s() == 0.0
    bench.route.taken_over()
    assert (bench.route.hold_s(), bench.route.room(9)) == (30.0, 0)
    bench.clock.advance(30.0)
    assert (bench.route.hold_s(), bench.route.room(9)) == (0.0, 4)
