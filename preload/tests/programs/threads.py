"""Threads, objects of all sizes, and children by fork, with Python's own allocator out of the way
(PYTHONMALLOC=malloc). Usage: threads.py LIBRARY"""

import ctypes
import json
import os
import sys
import threading


class Where(ctypes.Structure):
    _fields_ = [
        ("path", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    ]


def server_of(name):
    program = ctypes.CDLL(None)
    where = Where()
    address = ctypes.cast(getattr(program, name), ctypes.c_void_p)
    assert program.dladdr(address, ctypes.byref(where))
    return where.path.decode()


def work(seed, results):
    for number in range(300):
        texts = [str(seed * number + i) * (i % 50) for i in range(200)]
        document = json.loads(json.dumps({"texts": texts, "bytes": len(bytearray(number * 1000))}))
        assert document["texts"] == texts
    results.append(seed)


def main():
    for name in ("malloc", "calloc", "realloc", "free"):
        assert sys.argv[1] in server_of(name), server_of(name)
    results = []
    threads = [threading.Thread(target=work, args=(seed, results)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        child = os.fork()
        if child == 0:
            more = []
            work(1, more)
            os._exit(0 if more == [1] else 1)
        assert os.waitpid(child, 0)[1] == 0
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 1, 2, 3]
    print("ok")


main()
