"""Adapters for models of other libraries, on tiny random models that are made here."""

from __future__ import annotations

import importlib
import json
import socket
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import transformers
from onnx import TensorProto, helper
from PIL import Image
from tests.encoders.stand_in import StandIn, needs_stand_in

from coterie import InputError
from coterie.encoders import Encoder, Sound, find_encoder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
RNG = np.random.default_rng(0)
PICTURES = [Image.fromarray(RNG.integers(0, 255, size=(20 + n, 30, 3)).astype(np.uint8)) for n in range(3)]
SOUNDS = [Sound(RNG.normal(size=4000 + 800 * n).astype(np.float32), 8000) for n in range(3)]
TEXTS = ["a cat sat", "the dog", "a cat and the dog sat on a mat"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *["a", "cat", "sat", "the", "dog", "and", "on", "mat"]]


def write_vision(folder: Path) -> None:
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=16,
    )
    torch.manual_seed(0)
    transformers.ViTModel(config).save_pretrained(folder)
    said = {"image_processor_type": "ViTImageProcessor", "image_mean": [0.4] * 3, "image_std": [0.2] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))


def write_text(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)


def write_audio(folder: Path) -> None:
    config = transformers.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8),
        conv_stride=(5, 4),
        conv_kernel=(10, 8),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    torch.manual_seed(0)
    transformers.Wav2Vec2Model(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)


CASES: dict[str, tuple[Callable[[Path], None], list[Any]]] = {
    "image": (write_vision, PICTURES),
    "text": (write_text, TEXTS),
    "sound": (write_audio, SOUNDS),
}


@pytest.mark.parametrize("modality", CASES)
def test_transformers(modality: str, tmp_path: Path) -> None:
    write, batch = CASES[modality]
    write(tmp_path)
    encoder = find_encoder(f"transformers:{tmp_path}")
    _check(encoder, modality, batch, 16)
    again = find_encoder(f"transformers:{tmp_path}")
    assert encoder.fingerprint == again.fingerprint
    weights = next(tmp_path.glob("*.safetensors"))
    _change(weights)
    assert find_encoder(f"transformers:{tmp_path}").fingerprint != encoder.fingerprint


def test_sentence_transformers(tmp_path: Path) -> None:
    write_text(tmp_path)  # of a plain model of transformers the mean over tokens is taken
    encoder = find_encoder(f"sentence-transformers:{tmp_path}")
    _check(encoder, "text", TEXTS, 16)
    expected = find_encoder(f"transformers:{tmp_path}").embed(TEXTS)
    np.testing.assert_allclose(encoder.embed(TEXTS), expected, atol=1e-5)


def tiny_of_a_test(pretrained: bool = False, num_classes: int = 10, **options: Any) -> torch.nn.Module:
    """What timm calls for a model of this name, with options of its own."""
    from timm.models.vision_transformer import VisionTransformer

    assert pretrained
    torch.manual_seed(0)
    sizes = {"img_size": 24, "patch_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 2}
    made: torch.nn.Module = VisionTransformer(**sizes, num_classes=num_classes)
    made.pretrained_cfg = {"input_size": (3, 24, 24), "mean": (0.5,) * 3, "std": (0.25,) * 3}  # type: ignore[assignment]
    return made


@pytest.fixture(scope="module")
def timm() -> Any:
    """timm, with a tiny random model in its list."""
    with pytest.MonkeyPatch.context() as patch:
        if needs_stand_in():
            patch.setattr(sys, "meta_path", [StandIn(), *sys.meta_path])
        found = importlib.import_module("timm")
    found.models.register_model(tiny_of_a_test)
    return found


def test_timm(timm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.encoders.timm_models.check_network", lambda name: None)
    encoder = find_encoder("timm:tiny_of_a_test")
    _check(encoder, "image", PICTURES, 16)
    network = timm.create_model("tiny_of_a_test", pretrained=True, num_classes=0).eval()
    white = encoder.embed([Image.new("RGB", (9, 9), (255, 255, 255))])
    with torch.inference_mode():
        expected = network(torch.full((1, 3, 24, 24), 2.0))  # white is 1, less .5, by .25
    np.testing.assert_allclose(white, expected.numpy(), rtol=1e-4, atol=1e-6)
    assert encoder.fingerprint == find_encoder("timm:tiny_of_a_test").fingerprint
    with pytest.raises(InputError, match="encoder='timm:other' must name a model of timm"):
        _ = find_encoder("timm:other").fingerprint


def test_a_torchvision_of_another_pytorch_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [one for one in sys.modules if one.partition(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, name)
    expected = r"timm cannot be imported \(operator torchvision::nms does not exist\); .* of the same build"
    with pytest.raises(ImportError, match=expected):
        _ = find_encoder("timm:resnet18").fingerprint


def write_onnx(path: Path, batch: int | str = "n", axes: int = 4) -> None:
    """A model that gives the mean of each colour."""
    shape = [batch, 3, 16, 16][:axes]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    gives = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 3, 1, 1][:axes])
    node = helper.make_node("GlobalAveragePool", ["x"], ["y"])
    graph = helper.make_graph([node], "means", [given], [gives])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


@pytest.mark.parametrize("batch", ["n", 1])
def test_onnx(batch: int | str, tmp_path: Path) -> None:
    write_onnx(tmp_path / "means.onnx", batch)
    encoder = find_encoder(f"onnx:{tmp_path / 'means.onnx'}")
    _check(encoder, "image", PICTURES, 3)
    white = encoder.embed([Image.new("RGB", (8, 8), (255, 255, 255))])
    np.testing.assert_allclose(
        white[0], (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225], rtol=1e-5
    )


def test_an_onnx_file_that_takes_no_pictures(tmp_path: Path) -> None:
    write_onnx(tmp_path / "flat.onnx", axes=3)
    with pytest.raises(InputError, match=r"must take pictures \(n, 3, h, w\), got inputs"):
        find_encoder(f"onnx:{tmp_path / 'flat.onnx'}").embed(PICTURES)
    with pytest.raises(InputError, match="must name an ONNX file; it does not exist"):
        find_encoder(f"onnx:{tmp_path / 'none.onnx'}")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match="must name an ONNX file"):
        find_encoder(f"onnx:{tmp_path / 'bad.onnx'}").embed(PICTURES)


def _no_network(*given: Any) -> None:
    raise OSError("Name or service not known")


@pytest.mark.parametrize("name", ["transformers:somebody/model", "timm:resnet18"])
def test_a_hub_name_without_a_network(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(socket, "create_connection", _no_network)
    monkeypatch.setitem(sys.modules, "timm", types.SimpleNamespace(is_model=lambda model: True))
    expected = (
        "cannot be reached .*; without a network there are efficientnet-lite0, minilm, wordllama, voices"
    )
    with pytest.raises(InputError, match=expected):
        _ = find_encoder(name).fingerprint


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"encoder='transformers:.*' must name a model"):
        find_encoder(f"transformers:{tmp_path}")


def _check(encoder: Encoder, modality: str, batch: list[Any], width: int) -> None:
    """What every encoder promises; a vector does not depend on its company."""
    import pickle

    assert isinstance(encoder, Encoder)
    assert encoder.modality == modality
    assert encoder.width == width
    found = encoder.embed(batch)
    assert found.shape == (len(batch), width)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert len(np.unique(found.round(4), axis=0)) == len(batch)
    np.testing.assert_allclose(encoder.embed(batch[1:2]), found[1:2], rtol=1e-3, atol=1e-5)
    travelled = pickle.loads(pickle.dumps(encoder))  # noqa: S301  # as to a worker
    assert travelled.name == encoder.name


def _change(weights: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(weights)
    name = sorted(state)[0]
    save_file(state | {name: state[name] + 1}, weights, metadata={"format": "pt"})
