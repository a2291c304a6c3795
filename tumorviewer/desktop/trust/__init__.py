"""What an answer is worth: similar cases, the model's card, and how it does at this site."""
