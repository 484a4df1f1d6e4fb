from __future__ import annotations

import pytest
from pydantic import SecretStr

from connectors.channels.signing import SignatureRefused, SigningSecret, signed_headers, verify

# The example of the Standard Webhooks reference libraries.
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIME = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

KEY = SigningSecret(SecretStr(f"whsec_{SECRET}"))
OTHER = SigningSecret(SecretStr("whsec_" + "QUJD" * 10))
HEADERS = {"webhook-id": ID, "webhook-timestamp": str(TIME), "webhook-signature": SIGNATURE}


@pytest.mark.parametrize("text", [SECRET, f"whsec_{SECRET}", f" whsec_{SECRET}\n"])
def test_the_published_example_is_signed_as_published(text: str) -> None:
    assert SigningSecret(SecretStr(text)).sign(ID, TIME, BODY) == SIGNATURE


def test_the_published_example_is_genuine() -> None:
    assert verify([KEY], HEADERS, BODY, now=TIME) == ID


def test_a_request_is_signed_once_with_each_secret_in_their_order() -> None:
    headers = signed_headers([OTHER, KEY], ID, TIME, BODY)
    assert headers["webhook-signature"].split(" ")[1] == SIGNATURE
    assert verify([KEY], headers, BODY, now=TIME) == verify([OTHER], headers, BODY, now=TIME) == ID


def test_a_receiver_may_know_several_secrets() -> None:
    assert verify([OTHER, KEY], HEADERS, BODY, now=TIME) == ID


@pytest.mark.parametrize(
    ("change", "body", "now"),
    [
        ({}, BODY + b" ", TIME),
        ({"webhook-id": "msg_other"}, BODY, TIME),
        ({"webhook-timestamp": str(TIME + 1)}, BODY, TIME),
        ({"webhook-signature": SIGNATURE.replace("v1,", "v2,")}, BODY, TIME),
        ({"webhook-signature": ""}, BODY, TIME),
        ({"webhook-signature": "v1,ü"}, BODY, TIME),
        ({"webhook-signature": "v1,x " * 16 + SIGNATURE}, BODY, TIME),
        ({}, BODY, TIME + 301),
        ({}, BODY, TIME - 301),
        ({"webhook-timestamp": "soon"}, BODY, TIME),
        ({"webhook-timestamp": "²"}, BODY, TIME),
        ({"webhook-timestamp": "1" * 5000}, BODY, TIME),
    ],
)
def test_whatever_was_changed_is_refused(change: dict[str, str], body: bytes, now: int) -> None:
    with pytest.raises(SignatureRefused):
        verify([KEY], HEADERS | change, body, now)


@pytest.mark.parametrize("name", list(HEADERS))
def test_a_missing_header_is_named(name: str) -> None:
    with pytest.raises(SignatureRefused, match=name):
        verify([KEY], {key: value for key, value in HEADERS.items() if key != name}, BODY, TIME)


def test_without_a_secret_nothing_is_genuine() -> None:
    with pytest.raises(SignatureRefused):
        verify([], HEADERS, BODY, TIME)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_QUJD", "whsec_%%%", "whsec_" + "QUJD" * 22, "ü" * 32])
def test_a_secret_of_another_form_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes") as refused:
        SigningSecret(SecretStr(text))
    assert not text.removeprefix("whsec_") or text.removeprefix("whsec_") not in str(refused.value)


def test_a_secret_does_not_show_itself() -> None:
    assert repr(KEY) == f"{KEY}" == "SigningSecret(**********)"
