"""Two small libraries that answer what autograd's engine asks of CUDA's runtime even for fake tensors.

Without a driver `backward()` ends with "hasPrimaryContext expects a valid device index"; the functions below stand
before torch's own (`LD_PRELOAD`) and say that there is one device, with nothing on it. A process has to be started
with them: see `environment`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_C10_CUDA = r"""
#define V __attribute__((visibility("default")))
namespace c10 { namespace cuda {
struct CUDAStream { signed char type, index; long id; };  // the layout of c10::Stream
V bool hasPrimaryContext(signed char) { return false; }
V signed char device_count() noexcept { return 1; }
V signed char device_count_ensure_non_zero() { return 1; }
V signed char current_device() { return 0; }
V int GetDeviceCount(int *n) { *n = 1; return 0; }
V int GetDevice(signed char *d) { *d = 0; return 0; }
V int SetDevice(signed char, bool) { return 0; }
V void set_device(signed char, bool) {}
V int MaybeSetDevice(signed char) { return 0; }
V signed char ExchangeDevice(signed char) { return 0; }
V signed char MaybeExchangeDevice(signed char) { return 0; }
V CUDAStream getCurrentCUDAStream(signed char) { return {1, 0, 0}; }
V CUDAStream getDefaultCUDAStream(signed char) { return {1, 0, 0}; }
V void setCurrentCUDAStream(CUDAStream) {}
}}
struct cudaDeviceProp {
  char name[256]; char uuid[16]; char luid[8]; unsigned mask; unsigned long total, shared; int regs, warp;
  unsigned long pitch; int threads; int dim[3]; int grid[3]; int rate; unsigned long constant; int major, minor;
  char rest[2048];
};
namespace at { namespace cuda {
V cudaDeviceProp *getDeviceProperties(signed char) {
  static cudaDeviceProp p; p.major = 9; p.warp = 32; p.threads = 1024; return &p;
}
V cudaDeviceProp *getCurrentDeviceProperties() { return getDeviceProperties(0); }
}}
"""
_LIBCUDA = "int cuDevicePrimaryCtxGetState(int d, unsigned *f, int *a) { *f = 0; *a = 0; return 0; }\n"


def missing() -> str | None:
    """Why fake CUDA can't be had here, or None where it can."""
    import torch

    if shutil.which("g++") is None or shutil.which("gcc") is None:
        return "needs g++ and gcc"
    if torch.version.cuda is None:
        return "needs a CUDA build of torch"
    if torch.cuda.is_available():
        return "there is a CUDA device; the tests marked gpu run on it"
    return None


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process that sees one fake CUDA device; the libraries are made in `folder`."""
    (folder / "runtime.cpp").write_text(_C10_CUDA)
    (folder / "driver.c").write_text(_LIBCUDA)
    for compiler, source, library in (
        ("g++", "runtime.cpp", "libfake_runtime.so"),
        ("gcc", "driver.c", "libcuda.so.1"),
    ):
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(folder / library), str(folder / source)]
        subprocess.run(command, check=True)
    libraries = os.pathsep.join(filter(None, (str(folder), os.environ.get("LD_LIBRARY_PATH"))))
    return os.environ | {
        "LD_PRELOAD": str(folder / "libfake_runtime.so"),
        "LD_LIBRARY_PATH": libraries,
        "OMP_NUM_THREADS": "1",
    }
