"""Checks an installation, in sentences that can be pasted into a bug report. It spends nothing and changes nothing."""
