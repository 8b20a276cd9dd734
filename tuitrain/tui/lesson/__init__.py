"""The lesson's screen: a small network drawn with its numbers, and backpropagation through it term by term."""
