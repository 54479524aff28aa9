"""Which products a step takes: a rule of the device, and a warning where bfloat16 is emulated."""

from __future__ import annotations

import warnings

import pytest
import torch

from coterie.engine import runtime
from coterie.engine.runtime import choose_precision, make_runtime

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def units(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Kinds of devices that have bfloat16 units."""
    found: list[str] = []
    monkeypatch.setattr(runtime, "has_bfloat16", lambda device: device.type in found)
    runtime._warn_of_emulation.cache_clear()
    return found


@pytest.mark.parametrize(
    ("having", "device", "chosen"),
    [
        (["cuda", "cpu"], GPU, torch.bfloat16),
        (["cpu"], GPU, torch.float32),
        (["cuda", "cpu"], CPU, torch.float32),
        ([], torch.device("mps"), torch.float32),
    ],
)
def test_auto(units: list[str], having: list[str], device: torch.device, chosen: torch.dtype) -> None:
    units += having
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose_precision("auto", device) == chosen
        assert choose_precision("float32", device) == torch.float32


def test_emulated_bfloat16_warns_once(units: list[str]) -> None:
    with pytest.warns(UserWarning, match="precision='bfloat16' is emulated on this cpu"):
        assert choose_precision("bfloat16", CPU) == torch.bfloat16
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make_runtime("cpu", "bfloat16").precision == torch.bfloat16


def test_bfloat16_with_units_is_silent(units: list[str]) -> None:
    units.append("cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose_precision("bfloat16", CPU) == torch.bfloat16


def test_fits_on_a_cpu_take_float32() -> None:
    assert make_runtime("cpu").precision == torch.float32
