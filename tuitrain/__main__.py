"""`tuitrain`, and `python -m tuitrain`."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the imports below without a traceback

from tuitrain.cli import main

if __name__ == "__main__":
    main()
