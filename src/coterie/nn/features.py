"""Features of a pretrained encoder as an embedding: normalised, with nothing to train."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from coterie.nn.backbone import Backbone, flat_size

# of a sample whose features are all 0, which has no direction
_LEAST_NORM = 1e-12
# Of fewer features the length says much: k-means of 11 mixtures of 2 to 5 columns, ACC .71 as they are, .54
# as directions.
WIDE = 32


class Features(Backbone):
    """Signed square roots of the features, scaled to length 1 and moved to mean 0.

    The square root holds back the few features that are large; of features that are not negative, the
    distance of two samples is then Hellinger's. Fewer than 32 features are only moved to mean 0.

    Parameters
    ----------
    sample_shape : sequence of int
        Samples are flattened.

    Attributes
    ----------
    center : parameter of shape (d,)
        Mean over the training samples; not trained.
    factor : scalar parameter
        Scales all values to a deviation of 1 in the mean; not trained.

    Examples
    --------
    >>> Features((32,))(torch.tensor([[9.0, -16.0] + 30 * [0.0]]))[0, :2]
    tensor([ 0.6000, -0.8000])
    >>> Features((2,))(torch.tensor([[9.0, -16.0]]))
    tensor([[  9., -16.]])
    """

    def __init__(self, sample_shape: Sequence[int]) -> None:
        super().__init__()
        self.out_features = flat_size(sample_shape)
        self.center = nn.Parameter(torch.zeros(self.out_features), requires_grad=False)
        self.factor = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x ``(b, *sample_shape)`` to the embedding (b, d)."""
        flat = x.flatten(1)
        features: Tensor = ((unit_features(flat) if self.is_wide else flat) - self.center) * self.factor
        return features

    @property
    def is_wide(self) -> bool:
        """Whether the directions of samples are compared."""
        return self.out_features >= WIDE


def unit_features(x: Tensor) -> Tensor:
    """Signed square roots of features (b, d), each row scaled to length 1; a row of zeros stays so.

    Examples
    --------
    >>> unit_features(torch.tensor([[9.0, -16.0]]))
    tensor([[ 0.6000, -0.8000]])
    """
    rooted = x.sign() * x.abs().sqrt()
    unit: Tensor = rooted / rooted.norm(dim=1, keepdim=True).clamp_min(_LEAST_NORM)
    return unit
