"""Archives: find in them, fetch from them, send to them, listen for them. No torch, no widgets."""
