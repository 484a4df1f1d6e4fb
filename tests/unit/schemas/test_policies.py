"""Policy documents: the domain's policy, exact numbers, overrides, scopes, and errors that name the path."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import tests.golden
from domain.facts import SECOND
from domain.policy import (
    NET,
    PERCENT,
    ChannelPolicy,
    Held,
    LocationPolicy,
    Policy,
    PoolPolicy,
    PublishPolicy,
    SourcePolicy,
)
from schemas.policies import (
    PolicyDocument,
    PolicyError,
    document_of,
    full_sync_scope,
    merge_documents,
    next_effective_at,
    policy_of,
    policy_of_text,
)
from tests.unit.schemas.samples import AT, AT_MICROS

SEMANTICS = """
sources:   {wms: {posting_lag_s: {shipment: 60, return: 0}},
            erp: {order_lag_s: 5, clock_skew_s: 2, assume_as_of: false}}
locations: {A: {safety_stock: {units: 3, percent: 10, base: ON_HAND}, status: OPEN}}       # status OPEN | EXCLUDED
pools:     {default: {locations: [A, B], re_sourcing: true, network_safety_stock: {units: 10, percent: 0}}}
channels:  {web: {pool: default, mode: EXCLUSIVE, quota: 30, priority: 1},
            amazon: {mode: SHARED, buffer: {units: 5, percent: 0}, cap: 50},
            ebay: {mode: PERCENT, percent: 40, ring_fenced: false, stop_sell_at: 3, guard_units: 0, pack_size: 1,
                   blocked: false, publish: {rate_per_s: 0.2, burst: 1, rise_debounce_s: 30,
                                             min_delta: {units: 3, percent: 5}, low_band: 5, heartbeat_s: 300}}}
"""


def problems(document: Any) -> dict[str, str]:
    """Path to message of everything that is wrong."""
    with pytest.raises(PolicyError) as error:
        policy_of(document)
    return dict(error.value.problems)


def test_the_policy_of_the_contract_is_read() -> None:
    policy = policy_of_text(SEMANTICS)

    assert policy.sources == {
        "wms": SourcePolicy(posting_lag={"shipment": 60 * SECOND, "return": 0}),
        "erp": SourcePolicy(order_lag=5 * SECOND, clock_skew=2 * SECOND),
    }
    assert policy.locations == {"A": LocationPolicy(Held(3, Fraction(10)))}
    assert policy.pools == {"default": PoolPolicy(("A", "B"), True, Held(10))}
    assert policy.channels["web"] == ChannelPolicy(mode="EXCLUSIVE", quota=30, priority=1)
    assert policy.channels["amazon"] == ChannelPolicy(buffer=Held(5), cap=50)
    assert policy.channels["ebay"] == ChannelPolicy(
        mode=PERCENT,
        percent=Fraction(40),
        stop_sell_at=3,
        publish=PublishPolicy(
            Fraction(1, 5),
            1,
            30 * SECOND,
            Held(3, Fraction(5)),
            5,
            300 * SECOND,
        ),
    )


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n", "channels:\n", "null"])
def test_an_empty_document_is_the_default_policy(text: str) -> None:
    assert policy_of_text(text) == Policy()


def test_every_policy_of_the_golden_cases_is_read() -> None:
    data = json.loads((Path(tests.golden.__file__).parent / "data" / "availability.json").read_text())

    assert len([policy_of(case["policy"]) for case in data]) > 50


@pytest.mark.parametrize(
    ("written", "expected"),
    [("12.5", Fraction(25, 2)), ("33.3", Fraction(333, 10)), ("0.1", Fraction(1, 10)), ("100", Fraction(100))],
)
def test_percentages_are_exact_however_they_are_written(written: str, expected: Fraction) -> None:
    yaml = "locations: {A: {safety_stock: {percent: %s}}}"
    jsonish = '{"locations": {"A": {"safety_stock": {"percent": %s}}}}'
    texts = [yaml % written, yaml % f"'{written}'", jsonish % written, jsonish % f'"{written}"']

    found = [policy_of_text(text).locations["A"].safety_stock.percent for text in texts]
    plain = policy_of({"locations": {"A": {"safety_stock": {"percent": float(written)}}}})

    assert found == [expected] * 4
    assert plain.locations["A"].safety_stock.percent == expected


def test_a_rate_of_a_third_that_was_written_as_a_decimal_is_that_decimal() -> None:
    policy = policy_of_text("channels: {x: {publish: {rate_per_s: 0.3333333333333333333333}}}")

    assert policy.channels["x"].publish.rate_per_s == Fraction(3333333333333333333333, 10**22)


def test_durations_are_microseconds() -> None:
    policy = policy_of({"max_lateness_s": 3600, "sources": {"erp": {"clock_skew_s": "0.25"}}})

    assert (policy.max_lateness, policy.sources["erp"].clock_skew) == (3600 * SECOND, 250_000)
    assert policy_of({"closed_line_retention_s": 0}).closed_line_retention == 0


def test_the_version_and_its_start_are_read() -> None:
    policy = policy_of({"version": 3, "effective_from": AT})

    assert (policy.version, policy.effective_from) == (3, AT_MICROS)


def test_a_quota_knows_when_it_took_effect() -> None:
    channel = {"mode": "EXCLUSIVE", "quota": 5, "quota_from": AT, "service_level": 0.95}

    policy = policy_of({"channels": {"web": channel}})

    assert policy.channels["web"].quota_from == AT_MICROS
    assert policy.channels["web"].service_level == Fraction(19, 20)


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ({"channels": {"web": {"mode": "FOO"}}}, "channels.web.mode", "'SHARED', 'EXCLUSIVE' or 'PERCENT'"),
        ({"channels": {"web": {"cap": -1}}}, "channels.web.cap", "greater than or equal to 0"),
        ({"channels": {"web": {"cap": 1.5}}}, "channels.web.cap", "integer"),
        ({"channels": {"web": {"cap": "5"}}}, "channels.web.cap", "integer"),
        ({"channels": {"web": {"cap": 10**12}}}, "channels.web.cap", "less than or equal"),
        ({"channels": {"web": {"pack_size": 0}}}, "channels.web.pack_size", "greater than or equal to 1"),
        ({"channels": {"web": {"blocked": "yes"}}}, "channels.web.blocked", "boolean"),
        ({"channels": {"web": {"blocked": 1}}}, "channels.web.blocked", "boolean"),
        ({"channels": {"web": {"percent": 101}}}, "channels.web.percent", "0 to 100"),
        ({"channels": {"web": {"percent": -0.1}}}, "channels.web.percent", "0 to 100"),
        ({"channels": {"web": {"percent": float("nan")}}}, "channels.web.percent", "finite"),
        ({"channels": {"web": {"percent": "ten"}}}, "channels.web.percent", "number such as"),
        ({"channels": {"web": {"percent": True}}}, "channels.web.percent", "number"),
        ({"channels": {"web": {"percent": "1e999999"}}}, "channels.web.percent", "number"),
        ({"channels": {"web": {"percent": "9" * 500}}}, "channels.web.percent", "characters"),
        ({"channels": {"web": {"service_level": 95}}}, "channels.web.service_level", "such as 0.95"),
        ({"channels": {"web": {"quota_from": "soon"}}}, "channels.web.quota_from", "ISO-8601"),
        ({"channels": {"web": {"quota_from": "2026-01-01T00:00:00"}}}, "channels.web.quota_from", "offset"),
        ({"channels": {"web": {"pool": "nowhere"}}}, "channels.web.pool", "'nowhere' is no pool"),
        ({"channels": {"web": {"mode": "EXCLUSIVE"}}}, "channels.web.quota", "needs a quota"),
        ({"channels": {"web": {"mode": "PERCENT"}}}, "channels.web.percent", "needs a percentage"),
        ({"channels": {"web": {"qouta": 5}}}, "channels.web.qouta", "did you mean quota?"),
        ({"channels": {"our web shop": {}}}, "channels.our web shop", "characters A-Z"),
        ({"channels": {"": {}}}, "channels.", "characters A-Z"),
        ({"channels": []}, "channels", "mapping"),
        ({"channels": {"web": 5}}, "channels.web", "mapping"),
        ({"chanels": {}}, "chanels", "did you mean channels?"),
        ({"zzz": {}}, "zzz", "take it out"),
        ({"locations": {"A": {"status": "open"}}}, "locations.A.status", "'OPEN', 'EXCLUDED' or 'CLOSED'"),
        ({"locations": {"A\n": {}}}, "locations.A\n", "control characters"),
        ({"locations": {"x" * 300: {}}}, "locations." + "x" * 300, "256"),
        ({"locations": {"A": {"safety_stock": 5}}}, "locations.A.safety_stock", "mapping"),
        ({"pools": {"p": {"locations": ["A", "A"]}}}, "pools.p.locations", "twice"),
        ({"pools": {"p": {"locations": [5]}}}, "pools.p.locations.0", "string"),
        (
            {"sources": {"wms": {"posting_lag_s": {"shipmnt": 5}}}},
            "sources.wms.posting_lag_s.shipmnt",
            "'shipment'",
        ),
        ({"sources": {"wms": {"order_lag_s": -1}}}, "sources.wms.order_lag_s", "duration"),
        ({"sources": {"wms": {"order_lag_s": "0.0000001"}}}, "sources.wms.order_lag_s", "whole number of micro"),
        ({"items": {"S": {"category": "shoes"}}}, "items.S.category", "'shoes' is no category"),
        ({"items": {"S": {"channels": {"web": {}}}}}, "items.S.channels.web", "'web' is no channel"),
        (
            {"channels": {"web": {}}, "items": {"S": {"channels": {"web": {"pool": "p"}}}}},
            "items.S.channels.web.pool",
            "'p' is no pool",
        ),
        ({"categories": {"c": {"category": "d"}}}, "categories.c.category", "not known"),
        ({"version": -1}, "version", "greater"),
        ({"effective_from": 5}, "effective_from", "as text"),
        ({"max_lateness_s": 10**12}, "max_lateness_s", "duration"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(document: Any, path: str, words: str) -> None:
    found = problems(document)

    assert path in found, found
    assert words in found[path]


def test_everything_that_is_wrong_is_named_at_once() -> None:
    found = problems({"channels": {"a": {"cap": -1}, "b": {"mode": "X"}}, "locations": {"A": {"status": 5}}})

    assert set(found) == {"channels.a.cap", "channels.b.mode", "locations.A.status"}


def test_a_flood_of_problems_is_counted_instead_of_printed() -> None:
    with pytest.raises(PolicyError, match="and 150 more") as error:
        policy_of({"channels": {f"c{each}": {"cap": -1} for each in range(200)}})

    assert len(error.value.problems) == 200


def test_a_name_of_any_length_is_not_printed_whole() -> None:
    with pytest.raises(PolicyError) as error:
        policy_of({"x" * 100_000: {}})

    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b", "not a mapping"),
        ("just text", "not a mapping"),
        ("{", "no JSON"),
        ("[]", "not a mapping"),
        ("a: b: c", "no YAML"),
        ("channels:\n\tweb: {}", "no YAML"),
        ("channels: {}\nchannels: {}", "occurs twice"),
        ('{"channels": {}, "channels": {}}', "occurs twice"),
        ("locations: {A: &a {status: OPEN}, B: *a}", "aliases"),
        ('{"locations": {"A": {"safety_stock": {"percent": NaN}}}}', "NaN"),
        ("? [a]\n: b", "a key must be a text"),
        ("!!python/object:os.system {}", "no YAML"),
        ("a: " + "[" * 5_000, "nested too deeply"),
        ("# " + "x" * 1_000_000, "1000000 are allowed"),
    ],
)
def test_a_text_that_is_no_document_is_refused(text: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        policy_of_text(text)


def test_yaml_does_not_guess_what_names_are() -> None:
    policy = policy_of_text(
        "locations: {NO: {status: OPEN}, 0012: {}, 1:30: {}, 1e3: {}}\npools: {p: {locations: [NO, 0012]}}"
    )

    assert set(policy.locations) == {"NO", "0012", "1:30", "1e3"}
    assert policy.pools["p"].locations == ("NO", "0012")


def test_a_category_or_item_overrides_only_what_it_names() -> None:
    policy = policy_of(
        {
            "default_location": {"safety_stock": {"units": 1}},
            "locations": {"A": {"safety_stock": {"percent": 10}}, "X": {"status": "EXCLUDED"}},
            "channels": {"web": {"cap": 50, "buffer": {"units": 2, "percent": 5}}},
            "categories": {
                "shoes": {
                    "location": {"safety_stock": {"units": 4}},
                    "channels": {"web": {"buffer": {"units": 9}}},
                }
            },
            "items": {
                "S1": {"category": "shoes"},
                "S2": {
                    "category": "shoes",
                    "channels": {"web": {"cap": 7}},
                    "locations": {"A": {"status": "CLOSED"}},
                },
                "S3": {"location": {"safety_stock": {"base": "NET"}}},
                "S4": {"location": {"status": "CLOSED"}, "locations": {"A": {"status": "OPEN"}}},
            },
        }
    )

    assert policy.location_of("other", "A") == LocationPolicy(Held(1, Fraction(10)))
    assert policy.location_of("other", "B") == LocationPolicy(Held(1))
    assert policy.location_of("S1", "A") == LocationPolicy(Held(4, Fraction(10)))
    assert policy.location_of("S1", "X") == LocationPolicy(Held(4), status="EXCLUDED")
    assert policy.location_of("S1", "B") == LocationPolicy(Held(4))
    assert policy.location_of("S2", "A") == LocationPolicy(Held(4, Fraction(10)), status="CLOSED")
    assert policy.location_of("S2", "B") == LocationPolicy(Held(4))
    assert policy.location_of("S3", "X") == LocationPolicy(Held(1), base=NET, status="EXCLUDED")
    assert policy.location_of("S3", "B") == LocationPolicy(Held(1), base=NET)
    assert policy.location_of("S4", "A") == LocationPolicy(Held(1, Fraction(10)), status="OPEN")
    assert policy.location_of("S4", "X").status == policy.location_of("S4", "B").status == "CLOSED"
    assert policy.channel_of("S1", "web") == ChannelPolicy(cap=50, buffer=Held(9, Fraction(5)))
    assert policy.channel_of("S2", "web") == ChannelPolicy(cap=7, buffer=Held(9, Fraction(5)))
    assert policy.channel_of("other", "web") == ChannelPolicy(cap=50, buffer=Held(2, Fraction(5)))


def test_null_takes_away_what_a_wider_level_says() -> None:
    policy = policy_of({"channels": {"web": {"cap": 50}}, "items": {"S": {"channels": {"web": {"cap": None}}}}})

    assert policy.channel_of("S", "web").cap is None
    assert policy.channel_of("other", "web").cap == 50


def doc(scope: str, document: Any, version: int = 1, effective_from: int | None = None) -> PolicyDocument:
    return PolicyDocument(scope, version, effective_from, document)


def test_scopes_are_laid_over_the_global_document_in_alphabetical_order() -> None:
    documents = [
        doc("zeta", {"channels": {"web": {"cap": 3}}}, 9),
        doc("alpha", {"channels": {"web": {"cap": 2, "stop_sell_at": 1, "priority": 8}}}),
        doc("global", {"version": 4, "channels": {"web": {"cap": 1, "priority": 7}, "shop": {}}}, 4),
    ]

    for order in (documents, documents[::-1]):
        policy = merge_documents(order, AT_MICROS)
        assert policy.channels == {
            "web": ChannelPolicy(cap=3, stop_sell_at=1, priority=8),
            "shop": ChannelPolicy(),
        }
        assert policy.version == 9


def test_a_document_holds_from_its_instant_on() -> None:
    documents = [
        doc("global", {"channels": {"web": {"cap": 9}}}),
        doc("sale", {"channels": {"web": {"cap": 1}}}, 2, AT_MICROS),
        doc("later", {"channels": {"web": {"cap": 5}}}, 3, AT_MICROS + SECOND),
    ]

    before, at = merge_documents(documents, AT_MICROS - 1), merge_documents(documents, AT_MICROS)

    assert (before.channels["web"].cap, before.version, before.effective_from) == (9, 1, None)
    assert (at.channels["web"].cap, at.version, at.effective_from) == (1, 2, AT_MICROS)
    assert next_effective_at(documents, AT_MICROS - 1) == AT_MICROS
    assert next_effective_at(documents, AT_MICROS) == AT_MICROS + SECOND
    assert next_effective_at(documents, AT_MICROS + SECOND) is None


def asked(channel: str, **more: object) -> PolicyDocument:
    request = {"channels": {channel: {"publish": {"full_sync_at": AT}, **more}}}
    return doc(full_sync_scope(channel), request)


def test_a_request_for_a_full_sync_is_laid_over_all_other_scopes() -> None:
    others = [doc("global", {"channels": {"web": {"cap": 9}}}), doc("zoo", {"channels": {"web": {"cap": 1}}})]
    earlier = doc(
        "winter", {"channels": {"web": {"publish": {"full_sync_at": "2025-01-01T00:00:00Z", "burst": 3}}}}
    )

    policy = merge_documents([asked("web"), earlier, *others], AT_MICROS)

    assert (policy.channels["web"].cap, policy.channels["web"].publish.burst) == (1, 3)
    assert policy.channels["web"].publish.full_sync_at == AT_MICROS


def test_a_request_for_a_full_sync_does_not_bring_back_a_channel_that_was_taken_out() -> None:
    documents = [doc("global", {"channels": {"shop": {}}}), asked("web")]

    assert set(merge_documents(documents, AT_MICROS).channels) == {"shop"}
    assert set(merge_documents([asked("web")], AT_MICROS).channels) == set()
    assert set(merge_documents([asked("web", cap=3)], AT_MICROS).channels) == {"web"}
    whole = doc("global", {"channels": {"web": {"publish": {"full_sync_at": AT}}}})
    assert set(merge_documents([whole], AT_MICROS).channels) == {"web"}


def test_a_withdrawn_scope_says_nothing() -> None:
    documents = [doc("global", {"channels": {"web": {"cap": 9}}}), doc("sale", None)]

    assert merge_documents(documents, AT_MICROS) == policy_of({"version": 1, "channels": {"web": {"cap": 9}}})


def test_no_documents_are_the_default_policy() -> None:
    assert merge_documents([], AT_MICROS) == Policy()


def test_parts_that_only_fail_together_are_refused_when_they_are_merged() -> None:
    documents = [
        doc("global", {"channels": {"web": {"pool": "eu"}}, "pools": {"eu": {}}}),
        doc("x", {"pools": None}),
    ]

    with pytest.raises(PolicyError, match=r"channels\.web\.pool"):
        merge_documents(documents, AT_MICROS)


def test_a_policy_is_shown_as_the_document_that_gives_it() -> None:
    full = policy_of(
        {
            "version": 3,
            "effective_from": AT,
            "default_location": {"safety_stock": {"percent": "12.345678901234567890"}},
            "sources": {"wms": {"posting_lag_s": {"shipment": "0.000001"}, "assume_as_of": True}},
            "locations": {"A": {"status": "CLOSED"}},
            "pools": {"p": {"locations": ["A"], "re_sourcing": False}, "q": {}},
            "channels": {
                "web": {"pool": "p", "mode": "EXCLUSIVE", "quota": 1, "quota_from": AT, "service_level": 0.99},
                "shop": {"pool": "q", "publish": {"rate_per_s": 0.2, "min_delta": {"percent": 5}}},
            },
            "categories": {"c": {"location": {"status": "EXCLUDED"}}},
            "items": {
                "S": {"category": "c", "channels": {"web": {"cap": 5}}, "locations": {"A": {"status": "OPEN"}}}
            },
        }
    )

    for policy in (Policy(), policy_of_text(SEMANTICS), full):
        shown = document_of(policy)
        assert policy_of(shown) == policy
        assert policy_of_text(json.dumps(shown)) == policy
