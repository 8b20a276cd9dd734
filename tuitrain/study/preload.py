"""What the server that workers are forked from imports beforehand, so that each has torch at once."""

import contextlib
import signal

# A terminal that goes away takes neither this server nor the workers, which the process that asked for them ends.
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with contextlib.suppress(Exception):  # an import that fails is told by the member that needs it
    from tuitrain.training.import_torch import import_torch

    import_torch()
    import tuitrain.data.load
    import tuitrain.runs.launch
    import tuitrain.training.trainer  # noqa: F401
