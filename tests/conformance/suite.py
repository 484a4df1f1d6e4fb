"""What every channel sink must do, whatever the channel: inherit ``SinkConformance`` and provide a ``bench``."""

from __future__ import annotations

import logging

import pytest

from connectors.channels.base import REASON_CHARS, ChannelSink, Outcome, Result
from connectors.channels.latest import Standing
from connectors.channels.read_back import ReadTallies
from connectors.channels.reading import ReadsBack, Unread
from tests.conformance.bench import Ability, Bench
from tests.conformance.rig import PARTITION, Journal, Lifetime


def outcomes(results: list[Result] | tuple[Result, ...]) -> list[Outcome]:
    return [one.outcome for one in results]


class SinkConformance:
    """Batches, order of results, failures, staleness, expiry, restarts and secrecy."""

    # -- batches

    async def test_a_batch_is_answered_one_by_one_in_its_order(self, bench: Bench) -> None:
        batch = [bench.update(number, 7, number) for number in (3, 1, 2)]
        async with bench.sink() as sink:
            results = await sink.send(batch)
        assert [(one.listing, one.publish_seq, one.outcome) for one in results] == [
            (bench.listing(number), 7, Outcome.ACCEPTED) for number in (3, 1, 2)
        ]
        assert bench.shown() == {bench.listing(number): number for number in (1, 2, 3)}

    async def test_a_full_batch_passes_and_more_updates_take_more_attempts(self, bench: Bench) -> None:
        async with bench.sink() as sink:
            most = sink.limits.max_updates
            life = Lifetime(sink, Journal(), bench.clock)
            life.arrive(*(bench.update(number, 1, number) for number in range(1, most + 2)))
            await life.deliver()
            assert life.delivery.tallies.calls == 2
        assert bench.shown() == {bench.listing(number): number for number in range(1, most + 2)}

    async def test_a_batch_above_the_byte_limit_asks_to_be_split_and_nothing_of_it_is_sent(
        self, bench: Bench
    ) -> None:
        bench.needs(Ability.OVERSIZE)
        async with bench.sink() as sink:
            batch = bench.oversized(sink)
            assert 2 <= len(batch) <= sink.limits.max_updates
            results = await sink.send(batch)
        assert {(one.outcome, one.reason) for one in results} == {(Outcome.SPLIT, "TOO_LARGE")}
        assert bench.taken() == []

    async def test_an_oversized_batch_is_delivered_in_parts_and_what_can_pass_passes(self, bench: Bench) -> None:
        bench.needs(Ability.OVERSIZE)
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), bench.clock)
            batch = bench.oversized(sink)
            life.arrive(*batch)
            await life.deliver(200)
        answered = {listing: outcome for listing, _, outcome in life.journal.outcomes()}
        assert set(answered) == {one.listing for one in batch}
        assert set(answered.values()) <= {"ACCEPTED", "REJECTED"}
        assert set(bench.shown()) == {listing for listing, outcome in answered.items() if outcome == "ACCEPTED"}
        assert bench.shown()

    async def test_a_stop_sell_is_told_as_zero(self, bench: Bench) -> None:
        async with bench.sink() as sink:
            await sink.send([bench.update(1, 1, 8)])
            results = await sink.send([bench.update(1, 2, 0, priority="P0")])
        assert outcomes(list(results)) == [Outcome.ACCEPTED]
        assert bench.shown() == {bench.listing(1): 0}

    # -- newest value wins

    async def test_only_the_newest_of_several_values_is_sent(self, bench: Bench) -> None:
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), bench.clock)
            life.arrive(bench.update(1, 1, 9), bench.update(1, 3, 7))
            life.arrive(bench.update(1, 2, 8))
            await life.deliver()
        assert bench.taken() == [(bench.listing(1), 7)]
        assert life.journal.outcomes() == [(bench.listing(1), 3, "ACCEPTED")]

    async def test_a_value_older_than_the_settled_one_is_dropped_after_a_restart(self, bench: Bench) -> None:
        journal = Journal()
        async with bench.sink() as sink:
            life = Lifetime(sink, journal, bench.clock)
            life.arrive(bench.update(1, 5, 0))
            await life.deliver()
        async with bench.sink() as sink:
            life = Lifetime(sink, journal, bench.clock)
            assert life.arrive(bench.update(1, 4, 9)) == [Standing.STALE]
            await life.deliver()
        assert bench.taken() == [(bench.listing(1), 0)]

    async def test_an_update_sent_again_because_its_acknowledgement_was_lost_changes_nothing(
        self, bench: Bench
    ) -> None:
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), bench.clock)
            life.arrive(bench.update(1, 5, 2))
            await life.deliver()
        lost = Journal()
        async with bench.sink() as sink:
            life = Lifetime(sink, lost, bench.clock)
            life.arrive(bench.update(1, 5, 2))
            await life.deliver()
        assert lost.outcomes() == [(bench.listing(1), 5, "ACCEPTED")]
        assert set(bench.taken()) == {(bench.listing(1), 2)}

    async def test_an_expired_update_is_rejected_and_not_sent(self, bench: Bench) -> None:
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), bench.clock)
            life.arrive(bench.update(1, expires_in_s=60), bench.update(2, expires_in_s=61))
            bench.clock.advance(60)
            await life.deliver()
        assert set(bench.shown()) == {bench.listing(2)}
        (expired,) = (one for one in life.journal.acknowledgements if one.listing == bench.listing(1))
        assert (expired.outcome, expired.reason) == ("REJECTED", "EXPIRED")

    # -- failures

    async def test_a_refused_update_is_rejected_with_the_reason_and_the_others_pass(self, bench: Bench) -> None:
        bench.needs(Ability.REFUSE_ONE)
        bench.refuse(bench.listing(2))
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), bench.clock)
            life.arrive(*(bench.update(number, 1, number) for number in (1, 2, 3)))
            await life.deliver()
        assert sorted(life.journal.outcomes()) == [
            (bench.listing(1), 1, "ACCEPTED"),
            (bench.listing(2), 1, "REJECTED"),
            (bench.listing(3), 1, "ACCEPTED"),
        ]
        (refused,) = (one for one in life.journal.acknowledgements if one.outcome == "REJECTED")
        assert refused.reason
        assert len(refused.reason) <= REASON_CHARS
        assert bench.shown() == {bench.listing(1): 1, bench.listing(3): 3}

    async def test_an_outage_loses_nothing_and_is_followed_by_the_newest_values(self, bench: Bench) -> None:
        bench.needs(Ability.OUTAGE)
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), bench.clock)
            life.arrive(bench.update(1, 1, 10), bench.update(2, 1, 20))
            async with bench.interrupt(2):
                assert outcomes(list(await sink.send([bench.update(1, 1, 10)]))) == [Outcome.RETRY]
                await life.delivery.attempt()
                assert life.journal.answers == []
                assert life.delivery.wait_s() > 0
                life.arrive(bench.update(1, 2, 0, priority="P0"))
            await life.deliver()
        assert bench.shown() == {bench.listing(1): 0, bench.listing(2): 20}
        assert (bench.listing(1), 10) not in bench.taken()
        assert life.backlog.committable(PARTITION) == 3

    async def test_the_wait_that_the_channel_asks_for_is_kept(self, bench: Bench) -> None:
        bench.needs(Ability.THROTTLE)
        bench.throttle_once(17)
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), bench.clock)
            life.arrive(bench.update(1))
            await life.delivery.attempt()
            assert life.delivery.wait_s() >= 17
            assert life.delivery.tallies.throttled == 1
            assert bench.taken() == []
            await life.deliver()
        assert life.journal.outcomes() == [(bench.listing(1), 1, "ACCEPTED")]

    async def test_an_update_without_answer_is_unknown_and_is_sent_again_and_accepted(self, bench: Bench) -> None:
        bench.needs(Ability.SILENCE)
        bench.swallow_answers(1)
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), bench.clock)
            life.arrive(bench.update(1, quantity=4))
            await life.delivery.attempt()
            assert life.journal.answers == []
            await life.deliver()
        assert life.journal.outcomes() == [(bench.listing(1), 1, "ACCEPTED")]
        assert set(bench.taken()) == {(bench.listing(1), 4)}

    async def test_an_update_that_is_never_answered_ends_as_unknown_after_a_bounded_number_of_attempts(
        self, bench: Bench
    ) -> None:
        bench.needs(Ability.SILENCE)
        bench.swallow_answers(2)
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), bench.clock, unknown_attempts=2)
            life.arrive(bench.update(1))
            await life.deliver()
            assert life.journal.outcomes() == [(bench.listing(1), 1, "UNKNOWN")]
            # The planner may repeat it, and then it is sent once more.
            assert life.arrive(bench.update(1)) == [Standing.NEW]
            await life.deliver()
        assert life.journal.outcomes()[-1] == (bench.listing(1), 1, "ACCEPTED")

    # -- read back

    async def told_past_a_late_call(self, bench: Bench, sink: ChannelSink) -> Lifetime:
        """A life in which 9 had no answer, and then 4 was accepted."""
        life = Lifetime(sink, Journal(), bench.clock)
        life.arrive(bench.update(1, 1, 9))
        await life.delivery.attempt()
        life.arrive(bench.update(1, 2, 4))
        await life.deliver()
        return life

    async def test_a_sink_reads_back_exactly_when_its_channel_needs_it(self, bench: Bench) -> None:
        async with bench.sink() as sink:
            assert isinstance(sink, ReadsBack) == (Ability.READ_BACK not in bench.not_applicable)

    async def test_an_old_value_that_comes_through_late_does_not_stay(self, bench: Bench) -> None:
        bench.needs(Ability.READ_BACK)
        bench.delay(1)
        async with bench.sink() as sink:
            life = await self.told_past_a_late_call(bench, sink)
            assert bench.shown() == {bench.listing(1): 4}
            await bench.come_through()
            assert bench.shown() == {bench.listing(1): 9}
            await life.resolve()
            assert life.delivery.read_back is not None
            assert life.delivery.read_back.tallies == ReadTallies(overtaken=1)
        assert bench.shown() == {bench.listing(1): 4}
        told = life.journal.acknowledgements[-1]
        assert (told.publish_seq, told.outcome, told.quantity, told.previous_quantity) == (2, "ACCEPTED", 4, 9)
        assert (told.reason or "").startswith("READ_BACK")

    async def test_an_old_value_that_comes_through_behind_a_gateway_that_gave_up_does_not_stay(
        self, bench: Bench
    ) -> None:
        bench.needs(Ability.READ_BACK)
        bench.delay_behind_gateway(1)
        async with bench.sink() as sink:
            life = await self.told_past_a_late_call(bench, sink)
            await bench.come_through()
            assert bench.shown() == {bench.listing(1): 9}
            await life.resolve()
        assert bench.shown() == {bench.listing(1): 4}

    @pytest.mark.parametrize("accepted_before", [True, False])
    async def test_an_old_value_of_a_process_that_is_gone_does_not_stay(
        self, bench: Bench, accepted_before: bool
    ) -> None:
        bench.needs(Ability.READ_BACK)
        bench.delay(1)
        updates, journal = (bench.update(1, 1, 9), bench.update(1, 2, 4)), Journal()
        async with bench.sink() as sink:
            life = Lifetime(sink, journal, bench.clock)
            life.arrive(updates[0])
            await life.delivery.attempt()
            if accepted_before:
                life.arrive(updates[1])
                await life.deliver()
        async with bench.sink() as sink:
            life = Lifetime(sink, journal, bench.clock)
            life.arrive_again(*updates)
            await life.deliver()
            await bench.come_through()
            assert bench.shown() == {bench.listing(1): 9}
            await life.resolve()
            assert life.delivery.read_back is not None
            assert life.delivery.read_back.tallies == ReadTallies(overtaken=1)
        assert bench.shown() == {bench.listing(1): 4}
        told = journal.acknowledgements[-1]
        assert (told.publish_seq, told.outcome, told.quantity, told.previous_quantity) == (2, "ACCEPTED", 4, 9)

    async def test_what_was_not_overtaken_is_read_and_not_told_again(self, bench: Bench) -> None:
        bench.needs(Ability.READ_BACK)
        bench.delay(1)
        async with bench.sink() as sink:
            life = await self.told_past_a_late_call(bench, sink)
            await life.resolve()
            assert life.delivery.read_back is not None
            assert life.delivery.read_back.tallies == ReadTallies(as_told=1)
        assert bench.taken() == [(bench.listing(1), 4)]
        assert life.journal.outcomes() == [(bench.listing(1), 2, "ACCEPTED")]

    async def test_what_the_channel_shows_is_read_with_bounded_calls(self, bench: Bench) -> None:
        bench.needs(Ability.READ_BACK)
        async with bench.sink() as sink:
            assert isinstance(sink, ReadsBack)
            for number in (1, 2, 3):
                await sink.send([bench.update(number, 1, 10 * number)])
            listings = [bench.listing(number) for number in (3, 1, 2)]
            found: dict[str, int | None] = {}
            while left := [one for one in listings if one not in found]:
                bench.clock.advance(60)
                shown = await sink.shown(left[: sink.most_read])
                assert not isinstance(shown, Unread), shown
                assert left[0] in shown
                found |= shown
        assert found == {bench.listing(number): 10 * number for number in (1, 2, 3)}

    async def test_what_the_channel_does_not_know_has_no_quantity(self, bench: Bench) -> None:
        bench.needs(Ability.READ_BACK)
        async with bench.sink() as sink:
            assert isinstance(sink, ReadsBack)
            shown = await sink.shown([bench.listing(7)])
        assert isinstance(shown, Unread) or shown == {bench.listing(7): None}

    async def test_a_read_that_tells_nothing_gives_no_quantity(self, bench: Bench) -> None:
        bench.needs(Ability.READ_BACK)
        async with bench.sink() as sink:
            assert isinstance(sink, ReadsBack)
            for body in bench.garbled:
                bench.garble_once(body)
                shown = await sink.shown([bench.listing(1)])
                assert isinstance(shown, Unread) or shown == {bench.listing(1): None}, body[:40]

    async def test_a_read_that_is_throttled_says_how_long_to_wait(self, bench: Bench) -> None:
        bench.needs(Ability.READ_BACK)
        bench.throttle_once(17)
        async with bench.sink() as sink:
            assert isinstance(sink, ReadsBack)
            shown = await sink.shown([bench.listing(1)])
        assert isinstance(shown, Unread)
        assert shown.retry_after_s is not None
        assert 16 <= shown.retry_after_s <= 18

    async def test_a_connection_closed_without_an_answer_accepts_and_rejects_nothing(self, bench: Bench) -> None:
        bench.needs(Ability.CLOSE)
        async with bench.sink() as sink:
            bench.close_once()
            (result,) = await sink.send([bench.update(1)])
            assert result.outcome in (Outcome.UNKNOWN, Outcome.RETRY)
            (again,) = await sink.send([bench.update(1)])
        assert again.outcome is Outcome.ACCEPTED

    async def test_an_answer_that_tells_nothing_accepts_and_rejects_nothing(self, bench: Bench) -> None:
        bench.needs(Ability.GARBLE)
        async with bench.sink() as sink:
            for body in bench.garbled:
                bench.garble_once(body)
                results = await sink.send([bench.update(1), bench.update(2)])
                assert set(outcomes(list(results))) <= {Outcome.UNKNOWN, Outcome.RETRY}, body[:40]
                assert all(one.reason for one in results), body[:40]
        assert bench.taken() == []

    async def test_an_answer_longer_than_allowed_is_not_read_to_its_end(self, bench: Bench) -> None:
        bench.needs(Ability.GARBLE)
        async with bench.sink() as sink:
            bench.garble_once(" " * 2_000_000)
            (result,) = await sink.send([bench.update(1)])
        assert result.outcome in (Outcome.UNKNOWN, Outcome.RETRY)
        assert result.reason == "ANSWER_TOO_LARGE"

    # -- credentials

    async def test_a_token_is_renewed_once_when_the_channel_refuses_it(self, bench: Bench) -> None:
        bench.needs(Ability.TOKEN)
        async with bench.sink() as sink:
            await sink.send([bench.update(1, 1, 4)])
            assert bench.tokens_issued() == 1
            bench.expire_tokens()
            (result,) = await sink.send([bench.update(1, 2, 3)])
            assert bench.tokens_issued() == 2
        assert result.outcome is Outcome.ACCEPTED
        assert bench.shown() == {bench.listing(1): 3}

    async def test_credentials_that_are_refused_for_good_are_an_outage_and_reject_nothing(
        self, bench: Bench
    ) -> None:
        bench.needs(Ability.TOKEN)
        async with bench.sink() as sink:
            await sink.send([bench.update(1, 1, 4)])
            bench.revoke_credentials()
            issued = bench.tokens_issued()
            results = await sink.send([bench.update(1, 2, 3), bench.update(2)])
            assert bench.tokens_issued() <= issued + 1
        assert outcomes(list(results)) == [Outcome.RETRY, Outcome.RETRY]
        assert bench.shown() == {bench.listing(1): 4}
        assert not any(secret in str(results) for secret in bench.secrets())

    async def test_no_secret_is_shown(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), bench.clock)
            life.arrive(bench.update(1))
            await life.deliver()
            if Ability.GARBLE not in bench.not_applicable:
                # Careless servers quote what they were sent.
                bench.garble_once(f'{{"message": "{" ".join(bench.secrets())}"}}')
                life.arrive(bench.update(1, 2))
                await life.delivery.attempt()
            texts = [repr(sink), str(vars(sink)), caplog.text, str(life.journal.answers)]
        for secret in bench.secrets():
            assert not any(secret in text for text in texts)

    # -- life cycle

    async def test_closing_twice_is_harmless(self, bench: Bench) -> None:
        async with bench.sink() as sink:
            await sink.close()
