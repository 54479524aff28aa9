"""What a suite may ask of the machine that it runs on."""

from __future__ import annotations

from typing import Literal

from coterie.engine.runtime import has_bfloat16


def fast_precision() -> Literal["float32", "bfloat16"]:
    """The fastest `precision` of training steps here: "bfloat16" where the processor has units for it."""
    return "bfloat16" if has_bfloat16() else "float32"
