"""Encoders: pictures, sounds and texts as vectors, by models that are not trained here."""

from coterie.encoders.protocol import Encoder, Sound
from coterie.encoders.registry import Listed, find_encoder, list_encoders, register_encoder

__all__ = ["Encoder", "Listed", "Sound", "find_encoder", "list_encoders", "register_encoder"]
