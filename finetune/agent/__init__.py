"""The agent: policy and critics on top of an encoder."""
