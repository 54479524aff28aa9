"""What the tests of pages share: groups of points, and a browser's requests."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def blobs(n_each: int = 40) -> tuple[Any, Any, Any]:
    """Four groups in the plane, of which a run has merged the last two; their classes."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(4), n_each)
    points = np.array([[0, 0], [9, 0], [0, 9], [4, 9]])[y] + rng.normal(size=(len(y), 2))
    probabilities = np.full((len(y), 3), 0.02)
    probabilities[np.arange(len(y)), np.minimum(y, 2)] = 0.96
    return points, probabilities, y


def get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as reply:
        text = reply.read().decode()
        return json.loads(text) if reply.headers.get_content_type() == "application/json" else text


def post(address: str, body: Any, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"} | headers)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.loads(reply.read())


def refused(ask: Callable[[], Any]) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask()
    with caught.value as error:
        return int(error.code)
