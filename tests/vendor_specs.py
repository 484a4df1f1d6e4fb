"""Where the vendors' own API specifications lie. They are the vendors': nothing of them is in this repository.

``ATSTREAM_VENDOR_SPECS`` names the directory, else it is ``../shared/specs`` beside the checkout. In it are
``shopify/graphql/admin_<version>.json.gz`` (introspections of the Admin API), ``amazon-sp-api/models`` and
``amazon-sp-api/schemas/feeds``, ``adobe-commerce/admin-schema-<version>.yaml``, and ``edi-x12/ediengine``.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

VARIABLE = "ATSTREAM_VENDOR_SPECS"
BESIDE = Path(__file__).resolve().parents[1] / "../shared/specs"


def spec(path: str) -> Path:
    """A file of a vendor. Skips the test when the vendors' files are not here; fails when only this one is not."""
    named = os.environ.get(VARIABLE)
    directory = Path(named) if named else BESIDE
    if not named and not directory.is_dir():
        pytest.skip(f"the vendors' specifications are not here: name their directory in {VARIABLE}")
    found = directory / path
    assert found.is_file(), f"{VARIABLE} or ../shared/specs has no {path}"
    return found


def json_of(path: str) -> Any:
    """The content of a JSON file, which may be zipped."""
    content = spec(path).read_bytes()
    return json.loads(gzip.decompress(content) if path.endswith(".gz") else content)


def yaml_of(path: str) -> Any:
    """The content of a YAML file. They are long: the loader in C reads them in a second."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(spec(path).read_text(encoding="utf-8"), loader)
