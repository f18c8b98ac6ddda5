"""What each autoencoder class of diffusers takes and gives, and the classes that cannot be read, with the reason."""

from __future__ import annotations

IMAGES = ("n", "channels", "height", "width")
VIDEOS = ("n", "channels", "frames", "height", "width")
FRAMES = ("n", "frames", "channels", "height", "width")
AUDIO = ("n", "channels", "length")
SPECTROGRAMS = ("n", "channels", "length", "bands")
LAYOUTS = {
    "AutoencoderKL": IMAGES,
    "AutoencoderKLFlux2": IMAGES,
    "AutoencoderKLHunyuanImage": IMAGES,
    "VQModel": IMAGES,
    "PaellaVQModel": IMAGES,
    "AsymmetricAutoencoderKL": IMAGES,
    "AutoencoderTiny": IMAGES,
    "AutoencoderDC": IMAGES,
    "AutoencoderRAE": IMAGES,
    "AutoencoderKLKVAE": IMAGES,
    "AutoencoderKLQwenImage21": IMAGES,  # written for videos, but diffusers decodes single frames alone
    "AutoencoderKLTemporalDecoder": FRAMES,
    "AutoencoderKLCogVideoX": VIDEOS,
    "AutoencoderKLCosmos": VIDEOS,
    "AutoencoderKLHunyuanImageRefiner": VIDEOS,
    "AutoencoderKLHunyuanVideo": VIDEOS,
    "AutoencoderKLHunyuanVideo15": VIDEOS,
    "AutoencoderKLKVAEVideo": VIDEOS,
    "AutoencoderKLLTXVideo": VIDEOS,
    "AutoencoderKLLTX2Video": VIDEOS,
    "AutoencoderKLMagvit": VIDEOS,
    "AutoencoderKLMiniMaxH3": VIDEOS,
    "AutoencoderKLMochi": VIDEOS,
    "AutoencoderKLQwenImage": VIDEOS,
    "AutoencoderKLWan": VIDEOS,
    "AutoencoderVidTok": VIDEOS,
    "Kandinsky6SRVAE": VIDEOS,
    "AutoencoderOobleck": AUDIO,
    "AutoencoderSAME": AUDIO,
    "AutoencoderKLLTX2Audio": SPECTROGRAMS,
}
"""Axes of the inputs of each class; its latents have the same axes."""
AUTOENCODERS = tuple(LAYOUTS)
"""Diffusers classes that `wrap_autoencoder` supports."""
OF_AUDIO = tuple(name for name, layout in LAYOUTS.items() if layout in (AUDIO, SPECTROGRAMS))
"""Those that encode sound and no images."""

INPUT_CHANNELS = {
    "AutoencoderOobleck": "audio_channels",
    "AutoencoderSAME": "audio_channels",
    "AutoencoderKLQwenImage": "input_channels",
    "AutoencoderKLMochi": "out_channels",  # in_channels counts the Fourier features that the encoder computes itself
    "AutoencoderRAE": "num_channels",
}
"""Key of the configuration that states the channels of the inputs, where it is not ``in_channels``."""
LATENT_CHANNELS = {
    "VQModel": "vq_embed_dim",
    "AutoencoderOobleck": "decoder_input_channels",
    "AutoencoderSAME": "latent_dim",
    "AutoencoderKLWan": "z_dim",
    "AutoencoderKLQwenImage": "z_dim",
    "AutoencoderKLQwenImage21": "z_dim",
    "AutoencoderKLKVAE": "z_channels",
    "AutoencoderKLKVAEVideo": "z_channels",
    "AutoencoderVidTok": "z_channels",
    "AutoencoderRAE": "encoder_hidden_size",
}
"""Key of the configuration that states the channels of the latents, where it is not ``latent_channels``."""

IMAGE_SIZE = {
    "AutoencoderKLCogVideoX": ("sample_height", "sample_width"),
    "AutoencoderKLHunyuanImage": (),  # its sample_size is that of tiles
}
"""Keys of the configuration that state the size of the images, where that is not ``sample_size``."""

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PIXELS = {
    "AutoencoderRAE": ((0.0,), (1.0,)),
    "PaellaVQModel": ((0.0,), (1.0,)),
    "AutoencoderKLMiniMaxH3": IMAGENET,
}
"""Mean and standard deviation, per channel, that a class expects to be taken off pixels in [0, 1]; all others expect
pixels in [-1, 1]."""
PATCHED = ("AutoencoderKLWan", "AutoencoderKLQwenImage21")
"""Classes whose ``in_channels`` count the pixels of a patch as channels."""
ONE_AT_A_TIME = ("AutoencoderKLHunyuanVideo15",)
"""Classes whose attention mask diffusers makes for a single item."""
TILED_AS_RELEASED = {
    "AutoencoderKLHunyuanVideo": ("use_framewise_encoding", "use_framewise_decoding"),
    "AutoencoderKLMiniMaxH3": ("use_tiling",),
}
"""Tiling attributes that are on in every copy of a class, which was trained, published and used with them. The blend of
tiles (of more than 16 frames, or of more than 256 pixels) is then the decoder itself, a function of the latent like any
other, and stays on."""

_AUDIO = "is an autoencoder of audio that is not supported yet"
_NO_ENCODER = "has no encoder of its own"
UNREADABLE = {
    "ConsistencyDecoderVAE": "decodes by a diffusion that draws noise: an image is not a function of its latent",
    "AutoencoderKLAllegro": "decodes tiles of a fixed size, one video at a time, and leaves what lies outside of them "
    "black, so that its decoder is not a function of the whole latent",
    "LTX2VideoDiffusionDecoderModel": "decodes by a diffusion that draws noise, and has no encoder of its own",
    "MMAudioVocoder": _NO_ENCODER,
    "MiniMaxMusic3Vocoder": _NO_ENCODER,
    "Cosmos3AVAEAudioTokenizer": _AUDIO,
    "AutoencoderKLKVAEAudio": _AUDIO,
    "AutoencoderKLMiniMaxH3Audio": _AUDIO,
    "LongCatAudioDiTVae": _AUDIO,
    "MMAudioVAE": _AUDIO,
    "RFD4ProteinaAutoencoder": "encodes structures of proteins and not images",
}
"""Autoencoder classes of diffusers that are not read: the reason, as it follows the name in a sentence."""
