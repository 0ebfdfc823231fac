"""What turns the engine's tensors into something to look at."""
