"""The stages of an audit, which read images or run the model; one per file."""

from privaudit.auditing.stages.audit_stages import AT, AuditStages
from privaudit.auditing.stages.decoder_influence import DecoderInfluence
from privaudit.auditing.stages.image_stage import ids_of
from privaudit.auditing.stages.latents import Latents
from privaudit.auditing.stages.mask_settings import MaskSettings

__all__ = ["AT", "AuditStages", "DecoderInfluence", "Latents", "MaskSettings", "ids_of"]
