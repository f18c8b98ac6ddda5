"""Autoencoders of diffusers: what each class takes and gives, and how it is called."""

from privaudit.loading.autoencoder.diffusers_autoencoder import DiffusersAutoencoder
from privaudit.loading.autoencoder.layouts import AUTOENCODERS, UNREADABLE
from privaudit.loading.autoencoder.wrap import wrap_autoencoder

__all__ = ["AUTOENCODERS", "UNREADABLE", "DiffusersAutoencoder", "wrap_autoencoder"]
