/* Fills the main arena and those of some threads, tells what malloc_info says of them, and waits.
 *
 *   heap THREADS CHUNKS [NAME=VALUE…]
 *
 * Each of THREADS makes CHUNKS chunks of many sizes and frees every third. NAME=VALUE is given to mallopt first. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned long chunks;
static pthread_barrier_t filled;
static char *volatile mapped[3];
static char buffer[1 << 16];

static void fill(unsigned seed) {
    char **kept = calloc(chunks + 1, sizeof *kept);
    for (unsigned long i = 0; i < chunks; i++) {
        size_t size = 16 + rand_r(&seed) % (i % 16 ? 400 : 20000);
        kept[i] = malloc(size);
        memset(kept[i], 1, size);
    }
    for (unsigned long i = 0; i < chunks; i += 3)
        free(kept[i]);
}

static void *thread(void *seed) {
    fill((unsigned)(unsigned long)seed);
    pthread_barrier_wait(&filled);
    pause();
    return NULL;
}

static const struct { const char *name; int number; } options[] = {
    {"ARENA_MAX", M_ARENA_MAX},           {"ARENA_TEST", M_ARENA_TEST}, {"MMAP_THRESHOLD", M_MMAP_THRESHOLD},
    {"TRIM_THRESHOLD", M_TRIM_THRESHOLD}, {"TOP_PAD", M_TOP_PAD},       {"MMAP_MAX", M_MMAP_MAX},
};

int main(int count, char **words) {
    if (count < 3)
        return 2;
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    unsigned long threads = strtoul(words[1], NULL, 10);
    chunks = strtoul(words[2], NULL, 10);
    for (int word = 3; word < count; word++)
        for (unsigned i = 0; i < sizeof options / sizeof *options; i++) {
            size_t length = strlen(options[i].name);
            if (!strncmp(words[word], options[i].name, length) && words[word][length] == '=' &&
                !mallopt(options[i].number, atoi(words[word] + length + 1)))
                return 3;
        }
    pthread_barrier_init(&filled, NULL, threads + 1);
    for (unsigned long i = 0; i < threads; i++) {
        pthread_t one;
        if (pthread_create(&one, NULL, thread, (void *)(i + 1)))
            return 4;
    }
    fill(99);
    for (int i = 0; i < 3; i++)
        mapped[i] = malloc((i + 1) * (40 << 20));
    pthread_barrier_wait(&filled);
    malloc_info(0, stdout);
    /* The older function, which glibc before 2.33 has too; its numbers fit. */
    struct mallinfo all = mallinfo();
    printf("mapped %d %d\nready\n", all.hblks, all.hblkhd);
    fflush(stdout);
    while (read(0, &(char){0}, 1) < 0) {}
    return 0;
}
