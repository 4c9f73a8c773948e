"""The conversation with RunComfy: calls, answers, downloads."""
