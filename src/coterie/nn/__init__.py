"""Networks: backbones with a known embedding width, heads, and how to build them from a name or a module."""

from coterie.nn.backbone import Backbone
from coterie.nn.build import BACKBONES, BackboneSpec, GivenBackbone, auto_backbone, build_backbone
from coterie.nn.joint_batchnorm import JointBatchNorm, convert_batchnorm
from coterie.nn.lenet import LeNet
from coterie.nn.mlp import MLP
from coterie.nn.network import (
    ClusterNetwork,
    Network,
    PairNetwork,
    build_network,
    build_pair_network,
    channels_last,
    has_convolutions,
)
from coterie.nn.pair_head import PairHead
from coterie.nn.resnet import PreActResNet
from coterie.nn.set_attention import SetAttention
from coterie.nn.set_lstm import SetLSTM
from coterie.nn.set_network import ItemCNN, SetNetwork, build_set_network
from coterie.nn.vgg import VGG

__all__ = [
    "BACKBONES",
    "MLP",
    "VGG",
    "Backbone",
    "BackboneSpec",
    "ClusterNetwork",
    "GivenBackbone",
    "ItemCNN",
    "JointBatchNorm",
    "LeNet",
    "Network",
    "PairHead",
    "PairNetwork",
    "PreActResNet",
    "SetAttention",
    "SetLSTM",
    "SetNetwork",
    "auto_backbone",
    "build_backbone",
    "build_network",
    "build_pair_network",
    "build_set_network",
    "channels_last",
    "convert_batchnorm",
    "has_convolutions",
]
