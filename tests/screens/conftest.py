"""What every test of a screen shares."""

import pytest
from textual.pilot import Pilot

from support.at_rest import wait_for_messages


@pytest.fixture(autouse=True)
def all_messages_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a key, a click, a new size and a pause nothing is left in the queues, on a busy machine too."""
    monkeypatch.setattr(Pilot, "_wait_for_screen", wait_for_messages)
