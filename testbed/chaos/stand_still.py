#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes one thread of a process stand still, as a debugger does, until standard input ends.

usage: stand_still.py THREAD

Says "still" once it stands. Ends when it is told to let go, or when the thread has ended: a thread
that is held when its process ends is only buried once its debugger has looked.
"""

import ctypes
import os
import select
import sys

PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) < 0:
        number = ctypes.get_errno()
        sys.exit(f"stand_still: ptrace {request:#x} of {thread}: {os.strerror(number)}")


def main():
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit(__doc__)
    thread = int(sys.argv[1])
    ptrace(PTRACE_SEIZE, thread)
    ptrace(PTRACE_INTERRUPT, thread)
    _, status = os.waitpid(thread, WALL)
    if not os.WIFSTOPPED(status):
        sys.exit(f"stand_still: thread {thread} has ended")
    print("still", flush=True)
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], 0.1)
        if ready and not sys.stdin.read(1):
            ptrace(PTRACE_DETACH, thread)
            return
        pid, status = os.waitpid(thread, WALL | os.WNOHANG)
        if pid and (os.WIFEXITED(status) or os.WIFSIGNALED(status)):
            print("ended", flush=True)
            return


if __name__ == "__main__":
    main()
