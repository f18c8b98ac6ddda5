"""Train small targets whose members are known; the target and the images of the demo."""
