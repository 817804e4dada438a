// A threaded churn that stands for a user's program: THREADS threads allocate, fill and free blocks for SECONDS of wall
// time, and keep MEGABYTES of them between them. Further words change what it does; "rate: N" is what it prints.
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 2048

static int threads = 2, megabytes = 8, own_pages = 0;
static double seconds = 0.8;
static atomic_long operations;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

#ifdef PREFIXED
// Stands for an allocator that a program carries under names of its own.
const char *je_complaint = "<jemalloc>: Invalid conf pair";
void je_free(void *block) { (void)block; }
#define take je_malloc
#else
static
#endif
void *take(size_t size) {
    if (!own_pages) return malloc(size);
    // A program's own allocator, of which no library knows.
    static _Thread_local char *at;
    static _Thread_local size_t left;
    if (left < size) {
        left = 1 << 20;
        at = mmap(NULL, left, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    void *block = at;
    at += size;
    left -= size;
    return block;
}

static void *churn(void *unused) {
    (void)unused;
    long count = (long)megabytes * (1 << 20) / BLOCK / threads;
    char **kept = calloc(count, sizeof *kept);
    double until = now() + seconds;
    long done = 0;
    for (long i = 0; i < count; i++) memset(kept[i] = take(BLOCK), 1, BLOCK);
    while (now() < until)
        for (int i = 0; i < 1000; i++, done++) {
            long place = done * 7919 % count;
            if (own_pages) { memset(kept[place], 2, BLOCK); continue; }
            free(kept[place]);
            memset(kept[place] = take(BLOCK - done % 512), 2, 512);
        }
    operations += done;
    return NULL;
}

static int work(void) {
    pthread_t all[256];
    for (int i = 0; i < threads; i++) pthread_create(&all[i], NULL, churn, NULL);
    for (int i = 0; i < threads; i++) pthread_join(all[i], NULL);
    printf("rate: %ld\n", (long)operations);
    fflush(stdout);
    return 0;
}

int main(int count, char **words) {
    int forks = 0;
    const char *set = NULL, *then = NULL;
    for (int i = 1; i < count; i++) {
        char *value = strchr(words[i], '=');
        value = value ? value + 1 : "";
        if (!strncmp(words[i], "threads=", 8)) threads = atoi(value);
        if (!strncmp(words[i], "seconds=", 8)) seconds = atof(value);
        if (!strncmp(words[i], "megabytes=", 10)) megabytes = atoi(value);
        if (!strncmp(words[i], "forks=", 6)) forks = atoi(value);
        if (!strncmp(words[i], "unset=", 6)) set = value;
        if (!strncmp(words[i], "exec=", 5)) then = value;
        if (!strcmp(words[i], "own-pages")) own_pages = 1;
        if (!strcmp(words[i], "no-dump")) prctl(PR_SET_DUMPABLE, 0);
#ifdef M_ARENA_MAX
        if (!strncmp(words[i], "arena-max=", 10)) mallopt(M_ARENA_MAX, atoi(value));
        if (!strncmp(words[i], "mmap-threshold=", 15)) mallopt(M_MMAP_THRESHOLD, atoi(value));
        if (!strncmp(words[i], "mxfast=", 7)) mallopt(M_MXFAST, atoi(value));
        if (!strncmp(words[i], "trim-threshold=", 15)) mallopt(M_TRIM_THRESHOLD, atoi(value));
#endif
        if (!strcmp(words[i], "title")) {
            // As setproctitle does: the title is written over the environment's place.
            extern char **environ;
            char *end = environ[0];
            for (int e = 0; environ[e]; e++) end = environ[e] + strlen(environ[e]);
            char *start = environ[0];
            memset(start, ' ', end - start);
            memcpy(start, "churn: at work", 14);
            static char *none[] = {NULL};
            environ = none;
        }
    }
    if (then) {
        work();
        if (set) unsetenv(set);
        execl(then, then, "seconds=1.5", "megabytes=24", (char *)NULL);
        return 1;
    }
    for (int i = 0; i < forks; i++)
        if (fork() == 0) return work();
    if (!forks) return work();
    while (wait(NULL) > 0) {}
    return 0;
}
