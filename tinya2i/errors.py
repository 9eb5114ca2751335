"""Every error that a user can mend, by name. The message says what is wrong and what to do."""


class Tinya2iError(Exception):
    """Base of them all: the command line prints its message and exits with 2."""


class AudioError(Tinya2iError, ValueError):
    """A sound that cannot be used: missing, unreadable, empty, silent, too long, not finite."""


class DataError(Tinya2iError, ValueError):
    """A data set that is missing, damaged, or not what it says it is."""


class CheckpointError(Tinya2iError, ValueError):
    """A checkpoint that is damaged, unsafe, or of another model."""


class BackendError(Tinya2iError, RuntimeError):
    """A backend that this machine does not have."""


class RunError(Tinya2iError, RuntimeError):
    """A run that cannot start or go on: its folder, its flags, or its numbers."""
