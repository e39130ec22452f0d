"""Stage 2: learn online with Diff-SR's Algorithm 2, on the task of the pretraining data or on a new one."""

from finetune.agent.agent import Agent

__all__ = ["Agent"]
