"""From what a caller writes as ``backbone`` to a network with a known embedding width."""

from __future__ import annotations

import copy
import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor, nn

from coterie._errors import InputError, InputTypeError
from coterie.nn.averaged import Averaged, AveragedBackbone, averaged_shape
from coterie.nn.backbone import Backbone, Shape, flat_size, sample_shape_of, with_channel
from coterie.nn.ddc import DDCConvolutions, DDCPerceptron
from coterie.nn.features import Features
from coterie.nn.lenet import LeNet
from coterie.nn.mlp import MLP
from coterie.nn.resnet import PreActResNet, ResNet
from coterie.nn.vcnn import VCNN
from coterie.nn.vgg import VGG

BackboneSpec = str | Averaged | nn.Module | Callable[[], nn.Module]

BACKBONES: Mapping[str, Callable[[Shape], Backbone]] = MappingProxyType(
    {
        "identity": lambda shape: GivenBackbone(nn.Flatten(), shape),
        "mlp": lambda shape: MLP(flat_size(shape)),
        "lenet": LeNet,
        "lenet-bn": lambda shape: LeNet(shape, fc_batch_norm=True),
        "lenet-code": lambda shape: LeNet(shape, padding=2, fc_batch_norm=True),
        "vggxs": lambda shape: VGG(shape, "vggxs"),
        "vggs": lambda shape: VGG(shape, "vggs"),
        "vgg8": lambda shape: VGG(shape, "vgg8"),
        "vgg11": lambda shape: VGG(shape, "vgg11"),
        "vgg16": lambda shape: VGG(shape, "vgg16"),
        "vcnn": VCNN,
        "vcnn-svhn": lambda shape: VCNN(shape, repeats=3),
        "resnet20": lambda shape: ResNet(shape, "resnet20"),
        "resnet32": lambda shape: ResNet(shape, "resnet32"),
        "resnet-stl": lambda shape: ResNet(shape, "resnet-stl"),
        "preact18": lambda shape: PreActResNet(shape, 18),
        "preact101": lambda shape: PreActResNet(shape, 101),
        "ddc-mlp": lambda shape: DDCPerceptron(flat_size(shape)),
        "ddc-cnn": DDCConvolutions,
        "features": Features,
    }
)

# What a module raises when it is fed a shape that it was not made for.
_MISFIT = (RuntimeError, ValueError, TypeError, IndexError, AttributeError, AssertionError)


class GivenBackbone(Backbone):
    """A module of the caller's as a backbone: copied with its weights, its width found by a dry run.

    The copy sees samples as they are, except that images without a channel axis get one. The dry run takes
    two rows of zeros in eval mode, without gradient; afterwards each part is in its previous mode.

    Parameters
    ----------
    module : nn.Module
        Maps ``(b, *sample_shape)`` to (b, e), where an sample_shape (h, w) arrives as (1, h, w).
    sample_shape : sequence of int

    Examples
    --------
    >>> encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 7))
    >>> GivenBackbone(encoder, (8, 8)).out_features
    7
    """

    def __init__(self, module: nn.Module, sample_shape: Sequence[int]) -> None:
        super().__init__()
        shape = sample_shape_of(sample_shape)
        try:
            self.module = copy.deepcopy(module)
        except _MISFIT as error:
            raise InputError(
                f"backbone: the given {type(module).__name__} cannot be copied: {error}; "
                "pass a callable that makes a fresh network instead"
            ) from error
        self.out_features = _dry_run(self.module, shape)

    def forward(self, x: Tensor) -> Tensor:
        """Map x ``(b, *sample_shape)`` to the embedding (b, out_features)."""
        embedding: Tensor = self.module(with_channel(x))
        return embedding


def auto_backbone(sample_shape: Sequence[int]) -> str:
    """Name the network that ``backbone="auto"`` stands for.

    Vectors and images with a side below 14 take an MLP: there is no room for two poolings. Images up to
    64 take a LeNet with batch norm throughout, padded below 28, where the unpadded one would keep next to
    no grid. Larger images take a pre-activation ResNet-18, whose size does not grow with theirs.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(d,)``, ``(h, w)`` or ``(c, h, w)``.

    Returns
    -------
    str
        A key of ``BACKBONES``.

    Examples
    --------
    >>> [auto_backbone(shape) for shape in ((64,), (8, 8), (28, 28), (3, 96, 96))]
    ['mlp', 'mlp', 'lenet-bn', 'preact18']
    """
    shape = sample_shape_of(sample_shape)
    if len(shape) > 3:
        raise InputError(
            f"backbone='auto' needs samples of shape (d,), (h, w) or (c, h, w), got {shape}; "
            "pass a name, a module or a callable"
        )
    if len(shape) == 1 or min(shape[-2:]) < 14:
        return "mlp"
    if max(shape[-2:]) > 64:
        return "preact18"
    return "lenet-bn" if min(shape[-2:]) >= 28 else "lenet-code"


def build_backbone(spec: BackboneSpec, sample_shape: Sequence[int]) -> Backbone:
    """Build a network without its head for samples of a given shape.

    Parameters
    ----------
    spec : "auto", a name, an Averaged, an nn.Module or a callable
        A name is one of ``BACKBONES``. A module is deep-copied and keeps its weights. A callable is
        called without arguments at each build and returns a module.
    sample_shape : sequence of int
        ``(d,)``, ``(h, w)`` (one channel) or ``(c, h, w)``, without the batch axis.

    Returns
    -------
    Backbone
        Maps ``(b, *sample_shape)`` to (b, out_features).

    Raises
    ------
    InputError
        For an unknown name, samples that do not suit the network, or a module that does not give (b, e).
    InputTypeError
        When ``spec`` is none of the four.

    Examples
    --------
    >>> build_backbone("auto", (28, 28)).out_features
    500
    >>> build_backbone(lambda: nn.Linear(10, 3), (10,)).out_features
    3
    """
    shape = sample_shape_of(sample_shape)
    if isinstance(spec, str):
        return _named(spec)(shape) if spec != "auto" else BACKBONES[auto_backbone(shape)](shape)
    if isinstance(spec, Averaged):
        return AveragedBackbone(_named(spec.name)(averaged_shape(shape, spec.block)), spec.block)
    if isinstance(spec, nn.Module):
        return GivenBackbone(spec, shape)
    if callable(spec):
        return GivenBackbone(_called(spec), shape)
    raise InputTypeError(
        "backbone must be 'auto', a name, an nn.Module or a callable that returns one, "
        f"got {type(spec).__name__}"
    )


def _named(name: str) -> Callable[[Shape], Backbone]:
    """Look a name up, or list the names and suggest the nearest."""
    if name in BACKBONES:
        return BACKBONES[name]
    nearest = difflib.get_close_matches(name.lower(), ["auto", *BACKBONES], n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise InputError(f"backbone={name!r} must be one of auto, {', '.join(BACKBONES)}{hint}")


def _called(factory: Callable[[], nn.Module]) -> nn.Module:
    """Call a factory; an error from inside it is the caller's own and passes through."""
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise InputError(
            f"backbone: the callable must accept a call without arguments, but {error}"
        ) from error
    except ValueError:
        pass  # Some compiled callables have no signature to look at.
    module = factory()
    if not isinstance(module, nn.Module):
        raise InputError(f"backbone: the callable must return an nn.Module, got {type(module).__name__}")
    return module


def _dry_run(module: nn.Module, shape: Shape) -> int:
    """Find the embedding width (e of (b, e)) of a module, leaving the mode of each of its parts as it was."""
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    rows = with_channel(torch.zeros(2, *shape, dtype=like.dtype, device=like.device))
    fed = f"two rows of shape {tuple(rows.shape)}"
    training = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            out: object = module(rows)
    except _MISFIT as error:
        raise InputError(
            f"backbone: the given {type(module).__name__} fails on {fed}: {type(error).__name__}: {error}"
        ) from error
    finally:
        for part, mode in training.items():
            part.training = mode
    if not (isinstance(out, Tensor) and out.dim() == 2 and out.shape[0] == 2 and out.shape[1] > 0):
        got = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
        raise InputError(
            f"backbone: the given {type(module).__name__} must map {fed} to one vector each, shape (2, e), "
            f"got {got}"
        )
    return int(out.shape[1])
