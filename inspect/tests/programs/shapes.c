/* Makes a heap of a shape, waits for a line, calls malloc_trim(0), tells by how much its resident memory fell, waits.
 *
 *   shapes SHAPE     holes, sorted, pinned, all-free, threads */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT 40000
static char out[1 << 12];
static pthread_barrier_t steps;
static const char *shape;

static void make(unsigned seed) {
    char **kept = malloc(COUNT * sizeof *kept);
    for (int i = 0; i < COUNT; i++) {
        size_t size = 24 + rand_r(&seed) % 3000;
        kept[i] = memset(malloc(size), 1, size);
    }
    if (!strcmp(shape, "holes"))
        for (int i = 0; i < COUNT; i++)
            if (rand_r(&seed) % 2)
                free(kept[i]);
    if (!strcmp(shape, "sorted"))
        for (int i = 0; i < COUNT * 2 / 3; i++)
            free(kept[i]);
    if (!strcmp(shape, "pinned"))
        for (int i = 0; i < COUNT - 1; i++)
            free(kept[i]);
    if (!strcmp(shape, "all-free") || !strcmp(shape, "threads"))
        for (int i = 0; i < COUNT; i++)
            free(kept[i]);
}

static void *thread(void *seed) {
    make((unsigned)(unsigned long)seed);
    pthread_barrier_wait(&steps);
    pause();
    return NULL;
}

static long resident(void) {
    static char text[256];
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0, pages = 0;
    setvbuf(file, text, _IOFBF, sizeof text);
    if (fscanf(file, "%ld %ld", &size, &pages) != 2)
        exit(5);
    /* Not closed: that would change the heap. */
    return pages * 4096;
}

int main(int count, char **words) {
    if (count != 2)
        return 2;
    shape = words[1];
    setvbuf(stdout, out, _IOFBF, sizeof out);
    static char in[64];
    setvbuf(stdin, in, _IOFBF, sizeof in);
    int threads = strcmp(shape, "threads") ? 0 : 4;
    pthread_barrier_init(&steps, NULL, threads + 1);
    for (long i = 0; i < threads; i++) {
        pthread_t one;
        if (pthread_create(&one, NULL, thread, (void *)(i + 1)))
            return 4;
    }
    make(77);
    pthread_barrier_wait(&steps);
    resident();
    malloc_info(0, stdout);
    puts("ready");
    fflush(stdout);
    getchar();
    long before = resident();
    malloc_trim(0);
    printf("gave %ld\nready\n", before - resident());
    fflush(stdout);
    getchar();
    return 0;
}
