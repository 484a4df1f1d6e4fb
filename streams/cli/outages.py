"""Outages of what a command needs, as one message and exit code 3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaException

from connectors.registry import RegistryRefused, RegistryUnavailable
from schemas.policies import PolicyError
from streams.cli.outcome import OutageFailure, UsageFailure
from streams.operations.reading import TopicUnreadable
from streams.worker.policy_feed import PolicyUnavailable


@contextmanager
def outages_reported() -> Iterator[None]:
    """Turn failures of broker and registry into ``OutageFailure``, an invalid policy into ``UsageFailure``."""
    try:
        yield
    except (RegistryUnavailable, RegistryRefused) as error:
        raise OutageFailure(f"schema registry: {error}") from error
    except (TopicUnreadable, PolicyUnavailable) as error:
        raise OutageFailure(str(error)) from error
    except KafkaException as error:
        raise OutageFailure(f"broker: {error.args[0].str()}") from error
    except PolicyError as error:
        raise UsageFailure(
            f"the policy in force is invalid; mend it with atstream policy apply: {error}"
        ) from error
