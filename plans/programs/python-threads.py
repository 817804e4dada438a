"""A job over threads for plans/python-threads.toml: python-threads.py THREADS [DOCUMENTS]"""

import json
import sys
import threading
import time
import zlib


def work(seed, documents, kept):
    for number in range(documents):
        record = {
            "id": seed * documents + number,
            "tags": [f"tag-{(number * 31 + i) % 977}" for i in range(60)],
            "text": "lorem ipsum " * (number % 400 + 1),
        }
        packed = zlib.compress(json.dumps(record).encode(), 1)
        again = json.loads(zlib.decompress(packed))
        assert again == record
        # A few stay: blocks of all sizes that outlive their neighbours.
        kept[number % len(kept)] = (packed, again["tags"])


def main():
    threads = int(sys.argv[1])
    documents = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    keeping = [[None] * 500 for _ in range(threads)]
    workers = [threading.Thread(target=work, args=(seed, documents, keeping[seed])) for seed in range(threads)]
    start = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(f"documents_per_second {threads * documents / (time.monotonic() - start):.3f}")


main()
