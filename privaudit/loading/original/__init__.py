"""Names of modules in the code that published a model, which adapters and single-file checkpoints use."""
