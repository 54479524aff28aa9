"""Which encoder a fit takes, and whether a later one is the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coterie._errors import InputError
from coterie.data.modality import find_modality
from coterie.encoders.protocol import Encoder
from coterie.encoders.registry import AUTO, automatic_encoder, find_encoder, missing_advice


def choose_encoder(wanted: Any, modality: str) -> Encoder:
    """The encoder that a fit asks for.

    Parameters
    ----------
    wanted : str or Encoder
        "auto", a name, or an encoder.
    modality : str
        Of the samples.

    Raises
    ------
    InputError
        It takes another modality, or no encoder for this one is installed.
    ImportError
        Its package is missing.
    """
    if wanted == AUTO:
        found = automatic_encoder(modality)
        if found is None:
            raise InputError(
                f"encoder='auto': none for {find_modality(modality).plural} is installed; "
                f"{missing_advice(modality)}"
            )
        return found
    chosen: Encoder = find_encoder(wanted) if isinstance(wanted, str) else wanted
    if chosen.modality != modality:
        raise InputError(
            f"encoder={chosen.name!r} takes {find_modality(chosen.modality).plural}, but X holds "
            f"{find_modality(modality).plural}"
        )
    return chosen


def encoder_of(metadata: Mapping[str, Any], given: Any = None) -> Encoder:
    """The encoder that a fitted model has, the one given where it is no name.

    Raises
    ------
    InputError
        Its weights are not those of the fit.
    ImportError
        Its package is missing.
    """
    found: Encoder = find_encoder(metadata["name"]) if given is None or isinstance(given, str) else given
    check_same(metadata, {"name": found.name, "fingerprint": found.fingerprint})
    return found


def check_same(fitted: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise where vectors are not of the encoder of the fit."""
    if fitted["fingerprint"] != new["fingerprint"]:
        raise InputError(
            f"encoder={new['name']!r} must have the weights of the fit, whose fingerprint is "
            f"{fitted['fingerprint']}, got {new['fingerprint']}; install the version of the fit, or fit again"
        )
