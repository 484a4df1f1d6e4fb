"""Requests to a schema registry over HTTP: bounded, retried while it is out, clear about which of three it was.

An answer; a definite "there is no such thing" (RegistryNotFound) or other refusal (RegistryRefused); or an outage
(RegistryUnavailable), which is never taken for a "no": also a 404 that is not in the registry's own words is none.
"""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
MAX_ANSWER_BYTES = 4_194_304
"""4 MiB: a schema has at most 256 KiB, a list of subjects is short."""

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 5.0
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class RegistryUnavailable(Exception):
    """The registry did not answer, or not as a registry: nothing is known about what was asked. Try again."""


class RegistryRefused(Exception):
    """The registry answered "no". `status` is of HTTP, `code` is the registry's error code."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"{message} (status {status}, code {code})")
        self.status = status
        self.code = code
        self.message = message


class RegistryNotFound(RegistryRefused):
    """The registry answered that there is no such subject, version or schema."""


class RegistryHttp:
    """One registry's address, and how patient to be with it. Blocking: an event loop calls it in a thread."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 5.0,
        attempts: int = 4,
        headers: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`attempts` are made per request, with waits of 0.1 s, 0.2 s ... 5 s between; `headers` go with each."""
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"the registry's address must start with http:// or https://, not {url!r}")
        if attempts < 1 or timeout_s <= 0:
            raise ValueError(f"attempts ({attempts}) and timeout_s ({timeout_s}) must be positive")
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._headers = {"Accept": CONTENT_TYPE, "Content-Type": CONTENT_TYPE, **(headers or {})}
        self._sleep = sleep
        # A proxy of the environment is for the world outside, not for this machine's loopback.
        local = urllib.parse.urlsplit(self.url).hostname in ("127.0.0.1", "::1", "localhost")
        self._opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON of the answer. Raises RegistryNotFound, RegistryRefused or RegistryUnavailable."""
        for attempt in range(1, self._attempts + 1):
            try:
                return self._once(method, path, body)
            except RegistryUnavailable:
                if attempt == self._attempts:
                    raise
                longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** (attempt - 1))
                # Half of it is chance, so that workers which lost the registry together do not return together.
                self._sleep(longest * (0.5 + random.random() / 2))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=data, headers=self._headers, method=method)
        where = f"schema registry {self.url}: {method} {path}"
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                content = answer.read(MAX_ANSWER_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(where, error.code, error.read(MAX_ANSWER_BYTES)) from error
        except (OSError, HTTPException) as error:  # URLError and time-outs are OSErrors
            raise RegistryUnavailable(f"{where}: {getattr(error, 'reason', error)}") from error
        if len(content) > MAX_ANSWER_BYTES:
            raise RegistryUnavailable(f"{where}: the answer is longer than {MAX_ANSWER_BYTES} bytes")
        try:
            return json.loads(content)
        except ValueError as error:
            raise RegistryUnavailable(f"{where}: the answer is no JSON ({error})") from error


def _refusal(where: str, status: int, content: bytes) -> Exception:
    if status in _TRANSIENT:
        return RegistryUnavailable(f"{where}: status {status}")
    try:
        told = json.loads(content)
        code, message = int(told["error_code"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        return RegistryUnavailable(f"{where}: status {status} from something that is no schema registry")
    # 40401 subject, 40402 version, 40403 schema; a bare 404 is a path that this registry does not know.
    kind = RegistryNotFound if status == 404 and code > 404 else RegistryRefused
    return kind(status, code, f"{where}: {message}")
