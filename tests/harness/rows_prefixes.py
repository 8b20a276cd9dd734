"""A log that ends at any of its bytes."""

from __future__ import annotations

from pathlib import Path

from harness.bench import Bench
from harness.table import Figure, row

# ------------------------------------------------------------------------------------- prefixes


def every_prefix(path: str, step: int) -> dict[str, int]:
    """Read every prefix of a log as a whole, and by a tail that looks after every byte."""
    from tuitrain.runs import eventlog

    data = Path(path).read_bytes()
    ends = [at + 1 for at, byte in enumerate(data) if byte == 0x0A]
    records = eventlog.parse(data)
    wrong = mended = 0
    copy = Path(path).with_name("prefix.jsonl")
    copy.write_bytes(b"")
    tail, tailed = eventlog.LogTail(copy), 0
    for size in range(len(data) + 1):
        complete = sum(end <= size for end in ends)
        try:
            wrong += eventlog.parse(data[:size]) != records[:complete]
        except ValueError:
            wrong += 1
        if size % step == 0 or size in (0, len(data)):
            copy.write_bytes(data[:size])
            try:
                new, anew = tail.poll()
                tailed = (0 if anew else tailed) + len(new)
                wrong += tailed != complete
                writer = eventlog.LogWriter(copy)
                writer.append(records[0])
                writer.close()
                again = eventlog.parse(copy.read_bytes())
                mended += again == [*records[:complete], records[0]]
            except ValueError:
                wrong += 1
            copy.write_bytes(data[:size])  # as the tail saw it
    return {"prefixes": len(data) + 1, "wrong": wrong, "mended": mended, "events": len(records)}


@row(
    "prefix",
    "every prefix of an event log, byte by byte",
    "reader gives exactly the complete events",
    quick=3,
    whole=30,
    teeth={"naive_log": "every line read, whether its end is there or not"},
)
def prefixes(bench: Bench, times: int) -> Figure:
    """A log of so many epochs, with a restart in it."""
    code, _, err = bench.run(*bench.train("a", times), setup=["kill_at:write@checkpoints#2"])
    assert code == -9, err
    code, _, err = bench.run("resume", "a")
    assert code == 0, err
    step = 1 if times > 10 else 7
    seen = bench.call("harness.rows_prefixes:every_prefix", str(bench.runs / "a" / "events.jsonl"), step)
    return Figure(
        seen["wrong"] == 0 and seen["mended"] > 0,
        f"{seen['prefixes']} prefixes of {seen['events']} events, {seen['wrong']} read otherwise; an append after "
        f"{seen['mended']} of them left a whole log",
    )
