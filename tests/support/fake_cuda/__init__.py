"""tuitrain's CUDA path on fake tensors, on a machine without a GPU: what a real capture would refuse, and what it costs.

Nothing is computed. torch's `FakeTensorMode` passes shapes, dtypes and devices on as a CUDA build would, through CUDA's
own dispatch (cuDNN's batch norm, fused optimizers), and a dispatch mode above it writes down every operator. It cannot
see values, streams, the allocator, or what cuDNN does inside a capture.

`python -m support.fake_cuda` (in `tests/`) runs the sections and prints what it found as JSON.
"""
