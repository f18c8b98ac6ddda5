"""Foreign models become one `privaudit.target.Target` here, and nowhere else."""

from privaudit.loading.folder import hash_folder, load_target

__all__ = ["hash_folder", "load_target"]
