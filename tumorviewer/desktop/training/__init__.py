"""The training workspace: read studies become data sets, runs of the trainer, and models in use."""
