/* Makes a heap of a shape, says that it is ready, and waits until its input ends.
 *
 *   situations SHAPE
 *
 * bloat      8 threads make a burst in their arenas, free nearly all of it, and stay
 * ended      the same, and the threads end
 * burst      a burst, of which every hundredth block stays
 * pinned     a burst that is freed, but for one small block above it
 * holes      every other small block is freed
 * live       all is in use
 * mapped     large blocks
 * sparse     large live blocks in the heap, one page of each touched
 * risen      large blocks freed, so that the next ones are in arenas; of these most are freed
 * steady     4 threads hold a little
 * growing    200 kB more each 10 ms, without end
 * contended  4 threads allocate and free without end */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_barrier_t made;
static const char *shape;

static void *filled(size_t size) {
    char *block = malloc(size);
    if (!block)
        exit(3);
    return memset(block, 1, size);
}

/* Makes blocks and frees all but every `keep`th and the last one. */
static void burst(size_t count, size_t size, size_t keep) {
    void **blocks = malloc(count * sizeof *blocks);
    for (size_t i = 0; i < count; i++)
        blocks[i] = filled(size);
    for (size_t i = 0; i + 1 < count; i++)
        if (i % keep)
            free(blocks[i]);
}

static void *in_burst(void *unused) {
    burst(10000, 2000, 100);
    pthread_barrier_wait(&made);
    if (!strcmp(shape, "bloat"))
        pause();
    return unused;
}

static void *holds_a_little(void *unused) {
    burst(1000, 1000, 1);
    pthread_barrier_wait(&made);
    pause();
    return unused;
}

static void *without_end(void *seed) {
    unsigned state = (unsigned)(unsigned long)seed;
    static __thread char *kept[500];
    pthread_barrier_wait(&made);
    for (;;) {
        unsigned slot = rand_r(&state) % 500;
        free(kept[slot]);
        kept[slot] = malloc(1100 + rand_r(&state) % 4000);
    }
    return NULL;
}

static void threads(unsigned count, void *(*what)(void *)) {
    pthread_barrier_init(&made, NULL, count + 1);
    pthread_t all[16];
    for (unsigned long i = 0; i < count; i++)
        if (pthread_create(&all[i], NULL, what, (void *)(i + 1)))
            exit(4);
    pthread_barrier_wait(&made);
    if (!strcmp(shape, "ended"))
        for (unsigned i = 0; i < count; i++)
            pthread_join(all[i], NULL);
}

int main(int count, char **words) {
    shape = count > 1 ? words[1] : "";
    int is_growing = !strcmp(shape, "growing");
    if (!strcmp(shape, "bloat") || !strcmp(shape, "ended"))
        threads(8, in_burst);
    else if (!strcmp(shape, "burst"))
        burst(60000, 2000, 100);
    else if (!strcmp(shape, "pinned"))
        burst(60000, 2000, 60000);
    else if (!strcmp(shape, "holes")) {
        void **blocks = malloc(600000 * sizeof *blocks);
        for (size_t i = 0; i < 600000; i++)
            blocks[i] = filled(200);
        for (size_t i = 0; i < 600000; i += 2)
            free(blocks[i]);
    } else if (!strcmp(shape, "live"))
        burst(250000, 500, 1);
    else if (!strcmp(shape, "mapped"))
        burst(4, 40 << 20, 1);
    else if (!strcmp(shape, "sparse")) {
        for (size_t i = 0; i < 2000; i++)
            *(char *)memset(malloc(64 << 10), 1, 100) = 2;
    } else if (!strcmp(shape, "risen")) {
        free(filled(30 << 20));
        burst(20, 8 << 20, 5);
    } else if (!strcmp(shape, "steady"))
        threads(4, holds_a_little);
    else if (!strcmp(shape, "contended"))
        threads(4, without_end);
    else if (!is_growing)
        return 2;
    puts("ready");
    fflush(stdout);
    while (is_growing) {
        for (int i = 0; i < 100; i++)
            filled(2000);
        usleep(10000);
    }
    while (read(0, &(char){0}, 1) > 0) {}
    return 0;
}
