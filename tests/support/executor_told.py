"""An executor that trains nothing."""

from concurrent.futures import Executor, Future


class Told(Executor):
    """Answers each call at once, with what `answer` makes of its order; notes how many were open together."""

    def __init__(self, answer) -> None:
        self.answer, self.orders, self.calls = answer, [], []

    def submit(self, fn, /, *args, **kwargs) -> Future:
        (orders,) = args
        self.orders += orders
        self.calls.append(orders)
        future: Future = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result([self.answer(order) for order in orders])
        except Exception as error:
            future.set_exception(error)
        return future
