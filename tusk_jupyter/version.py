"""The version, alone, so that building a wheel needs to import nothing else."""

__version__ = "0.1.0"
