/* Threads allocate and free for ever. Each counts, in memory that outlives it, the calls that have returned.
 * Usage: witness FILE THREADS */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What this thread is, how many calls it has made that returned, and whether one is under way. */
struct count {
    volatile uint64_t tid, returned, padding[6];
};

static struct count *counts;

static void *work(void *number)
{
    struct count *count = &counts[(size_t)number];
    unsigned state = (unsigned)(size_t)number + 1;
    void *slots[64] = {0};
    count->tid = (uint64_t)syscall(SYS_gettid);
    for (;;) {
        state = state * 1664525u + 1013904223u;
        void **slot = &slots[state >> 26];
        if (*slot == NULL) {
            *slot = malloc(1 + (state >> 8) % 3000);
        } else {
            free(*slot);
            *slot = NULL;
        }
        count->returned++;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    size_t threads = (size_t)atoi(argv[2]);
    int file = open(argv[1], O_RDWR);
    counts = mmap(NULL, threads * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file < 0 || counts == MAP_FAILED)
        return 1;
    for (size_t i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, (void *)i) != 0)
            return 1;
    }
    for (;;)
        pause();
}
