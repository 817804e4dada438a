/* A program to be looked at; it does as it is told on standard input, and prints on standard output.
 *
 *   looked_at THREADS SLOTS work COUNTS   its threads allocate and free without end, and count their operations in the file
 *                                         COUNTS, each in a cache line of its own; each line on standard input is answered
 *                                         by what malloc_info says, and "end"
 *   looked_at THREADS SLOTS hold          each thread fills SLOTS blocks of some kilobytes and frees every third, then all wait
 *   looked_at THREADS SLOTS crumbs        the same with blocks of some dozen bytes
 */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned long slots;
static int holds, crumbs;
static pthread_barrier_t ready;
static struct count { _Alignas(64) atomic_ulong done; } own_counts[256], *counts = own_counts;
static char buffer[1 << 18];

static void *work(void *number) {
    unsigned long own = (unsigned long)number;
    unsigned state = (unsigned)own + 1;
    char **kept = calloc(slots, sizeof *kept);
    for (unsigned long i = 0; i < slots; i++) {
        size_t size = crumbs  ? 40 + rand_r(&state) % 160
                      : holds ? 500 + rand_r(&state) % 5000
                              : 16 + rand_r(&state) % 1500;
        kept[i] = memset(malloc(size), 1, size);
    }
    for (unsigned long i = 0; i < slots; i += 3) {
        free(kept[i]);
        kept[i] = NULL;
    }
    pthread_barrier_wait(&ready);
    if (holds)
        pause();
    for (unsigned long done = 1;; done++) {
        unsigned slot = (unsigned)(rand_r(&state) % slots);
        free(kept[slot]);
        kept[slot] = rand_r(&state) % 3 ? malloc(16 + rand_r(&state) % 1500) : NULL;
        atomic_store_explicit(&counts[own].done, done, memory_order_relaxed);
    }
    return NULL;
}

int main(int count, char **words) {
    if (count < 4)
        return 2;
    unsigned long threads = strtoul(words[1], NULL, 10);
    slots = strtoul(words[2], NULL, 10);
    crumbs = !strcmp(words[3], "crumbs");
    holds = crumbs || !strcmp(words[3], "hold");
    if (count > 4) {
        int file = open(words[4], O_RDWR);
        counts = mmap(NULL, sizeof own_counts, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (counts == MAP_FAILED)
            return 3;
    }
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    pthread_barrier_init(&ready, NULL, (unsigned)threads + 1);
    for (unsigned long i = 0; i < threads && i < 256; i++) {
        pthread_t one;
        if (pthread_create(&one, NULL, work, (void *)i))
            return 4;
    }
    pthread_barrier_wait(&ready);
    puts("ready");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        malloc_info(0, stdout);
        puts("end");
        fflush(stdout);
    }
    return 0;
}
