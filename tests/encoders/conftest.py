"""Toy encoders known by name, and a count of what they embedded."""

from __future__ import annotations

from tests.encoders.fixtures import toys as toys
