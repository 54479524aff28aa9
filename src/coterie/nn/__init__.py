"""Networks: backbones with a known embedding width, heads, and how to build them from a name or a module."""

from typing import TYPE_CHECKING

from coterie._lazy import lazy_names

if TYPE_CHECKING:
    from coterie.nn.averaged import Averaged, AveragedBackbone, averaged_shape, block_for
    from coterie.nn.backbone import Backbone
    from coterie.nn.build import BACKBONES, BackboneSpec, GivenBackbone, auto_backbone, build_backbone
    from coterie.nn.centroids import CentroidNetwork, build_centroid_network
    from coterie.nn.ddc import DDCConvolutions, DDCPerceptron
    from coterie.nn.distance_head import DistanceHead, join_rows
    from coterie.nn.features import Features, unit_features
    from coterie.nn.heads import HeadsNetwork, build_heads_network
    from coterie.nn.lenet import LeNet
    from coterie.nn.metric import Metric, build_metric_network
    from coterie.nn.mlp import MLP
    from coterie.nn.network import (
        ClusterNetwork,
        Network,
        PairNetwork,
        build_network,
        build_pair_network,
        channels_last,
        has_convolutions,
        rows_at_once,
    )
    from coterie.nn.pair_head import PairHead
    from coterie.nn.resnet import PreActResNet, ResNet
    from coterie.nn.set_attention import SetAttention
    from coterie.nn.set_lstm import SetLSTM
    from coterie.nn.set_network import ItemCNN, SetNetwork, build_set_network
    from coterie.nn.sync_batchnorm import SyncBatchNorm, convert_batchnorm
    from coterie.nn.vcnn import VCNN
    from coterie.nn.vgg import VGG

# networks of sets need scipy's hierarchies
_MODULES = {
    "BACKBONES": "build",
    "MLP": "mlp",
    "VCNN": "vcnn",
    "VGG": "vgg",
    "Averaged": "averaged",
    "AveragedBackbone": "averaged",
    "Backbone": "backbone",
    "BackboneSpec": "build",
    "CentroidNetwork": "centroids",
    "ClusterNetwork": "network",
    "DDCConvolutions": "ddc",
    "DDCPerceptron": "ddc",
    "DistanceHead": "distance_head",
    "Features": "features",
    "GivenBackbone": "build",
    "HeadsNetwork": "heads",
    "ItemCNN": "set_network",
    "LeNet": "lenet",
    "Metric": "metric",
    "Network": "network",
    "PairHead": "pair_head",
    "PairNetwork": "network",
    "PreActResNet": "resnet",
    "ResNet": "resnet",
    "SetAttention": "set_attention",
    "SetLSTM": "set_lstm",
    "SetNetwork": "set_network",
    "SyncBatchNorm": "sync_batchnorm",
    "auto_backbone": "build",
    "averaged_shape": "averaged",
    "block_for": "averaged",
    "build_backbone": "build",
    "build_centroid_network": "centroids",
    "build_heads_network": "heads",
    "build_metric_network": "metric",
    "build_network": "network",
    "build_pair_network": "network",
    "build_set_network": "set_network",
    "channels_last": "network",
    "convert_batchnorm": "sync_batchnorm",
    "has_convolutions": "network",
    "join_rows": "distance_head",
    "rows_at_once": "network",
    "unit_features": "features",
}

__all__ = [
    "BACKBONES",
    "MLP",
    "VCNN",
    "VGG",
    "Averaged",
    "AveragedBackbone",
    "Backbone",
    "BackboneSpec",
    "CentroidNetwork",
    "ClusterNetwork",
    "DDCConvolutions",
    "DDCPerceptron",
    "DistanceHead",
    "Features",
    "GivenBackbone",
    "HeadsNetwork",
    "ItemCNN",
    "LeNet",
    "Metric",
    "Network",
    "PairHead",
    "PairNetwork",
    "PreActResNet",
    "ResNet",
    "SetAttention",
    "SetLSTM",
    "SetNetwork",
    "SyncBatchNorm",
    "auto_backbone",
    "averaged_shape",
    "block_for",
    "build_backbone",
    "build_centroid_network",
    "build_heads_network",
    "build_metric_network",
    "build_network",
    "build_pair_network",
    "build_set_network",
    "channels_last",
    "convert_batchnorm",
    "has_convolutions",
    "join_rows",
    "rows_at_once",
    "unit_features",
]

__getattr__ = lazy_names(__name__, _MODULES)
