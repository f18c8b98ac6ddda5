"""Loads diffusers models as a `privaudit.model.target.Target`, or an autoencoder alone."""

from privaudit.loading.decoder_target import load_decoder_target
from privaudit.loading.families import Family, register_family
from privaudit.loading.folder import load_target
from privaudit.loading.hashes import hash_folder
from privaudit.loading.model_source import AdapterSource, ModelSource
from privaudit.loading.standalone import load_autoencoder

__all__ = [
    "AdapterSource",
    "Family",
    "ModelSource",
    "hash_folder",
    "load_autoencoder",
    "load_decoder_target",
    "load_target",
    "register_family",
]
