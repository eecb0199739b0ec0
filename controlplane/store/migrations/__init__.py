"""Schema migrations, run in-process when the store opens."""
