"""Python imports this at its start where this folder is on its path: from then on CUDA's tensors are fake."""

from support.fake_cuda import rehearsal

rehearsal.begin()
