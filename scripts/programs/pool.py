"""A pool of four processes, each of which makes, sorts and drops lists of text."""

import multiprocessing
import time


def work(seed):
    kept = [f"{seed}-{i * 7919 % 60000}-{'x' * (i % 40)}" for i in range(60000)]
    kept.sort()
    time.sleep(0.05)
    return sum(len(text) for text in kept)


if __name__ == "__main__":
    table = [str(i) for i in range(200000)]
    with multiprocessing.get_context("fork").Pool(4) as pool:
        print("bytes", sum(pool.map(work, range(60), chunksize=1)) + len(table))
