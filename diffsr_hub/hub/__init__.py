"""Publishing on the Hugging Face Hub, and looking at what is there."""
