"""The model's answer, its evidence and reliability, and the reader's verdict."""
