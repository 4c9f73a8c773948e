"""Time that only a test moves on."""


class Clock:
    """Seconds. It stands still, or goes on by `step_s` with each look at it."""

    def __init__(self, now_s=1_763_800_000.0):
        self.now_s = now_s
        self.step_s = 0.0

    def __call__(self):
        self.now_s += self.step_s
        return self.now_s
