// Fills heaps of a known anatomy in each of its processes, says what malloc_info counts in all of them, and stands still.
// anatomy THREADS PROCESSES
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 4000, SIZE = 3000, LARGE = 3 << 20 };
static pthread_barrier_t all;

static char *filled(size_t size) {
    char *block = malloc(size);
    memset(block, 1, size);
    return block;
}

// Blocks, every other one given back, so that what is free is holes.
static void *fill(void *arg) {
    char **kept = malloc(BLOCKS * sizeof *kept);
    pthread_barrier_wait(&all);
    for (int i = 0; i < BLOCKS; i++) kept[i] = filled(SIZE);
    for (int i = 0; i < BLOCKS; i += 2) free(kept[i]);
    if (!arg) { pthread_barrier_wait(&all); pause(); }
    return kept;
}

static long number(const char *text, const char *before) {
    const char *at = strstr(text, before);
    return at ? atol(at + strlen(before)) : 0;
}

// Bytes from the system, free ones (tops included), bytes of mapped blocks, arenas.
static void count(long said[4]) {
    char *text, *last = 0;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    malloc_info(0, stream);
    fclose(stream);
    said[3] = 0;
    for (char *at = text; (at = strstr(at, "<heap nr=")); at++) said[3]++;
    for (char *at = text; (at = strstr(at, "</heap>")); at++) last = at;
    said[0] = number(last, "<system type=\"current\" size=\"");
    const char *kinds[] = { "<total type=\"fast\"", "<total type=\"rest\"" };
    said[1] = 0;
    for (int i = 0; i < 2; i++) {
        const char *kind = strstr(last, kinds[i]);
        if (kind) said[1] += number(kind, "size=\"");
    }
    const char *mapped = strstr(last, "<total type=\"mmap\"");
    said[2] = mapped ? number(mapped, "size=\"") : 0;
    free(text);
}

int main(int count_of, char **args) {
    int threads = atoi(args[1]), processes = count_of > 2 ? atoi(args[2]) : 1, ends[2];
    if (pipe(ends)) return 1;
    int child = processes > 1 && fork() == 0;
    pthread_barrier_init(&all, 0, threads + 1);
    for (int i = 0; i < threads; i++) { pthread_t thread; pthread_create(&thread, 0, fill, 0); }
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    fill(&all);
    for (int i = 0; i < 3; i++) filled(LARGE);
    pthread_barrier_wait(&all);
    long said[4], theirs[4] = {0};
    // The first time makes what saying it needs.
    count(said);
    count(said);
    if (child) {
        if (write(ends[1], said, sizeof said) != sizeof said) return 1;
        pause();
    }
    if (processes > 1 && read(ends[0], theirs, sizeof theirs) != sizeof theirs) return 1;
    printf("said");
    for (int i = 0; i < 4; i++) printf(" %ld", said[i] + theirs[i]);
    printf("\n");
    fflush(stdout);
    pause();
}
