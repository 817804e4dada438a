/* Threads that allocate and free without end; each line on standard input is answered by what malloc_info says.
 *
 *   churn THREADS SLOTS */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long slots;
static pthread_barrier_t filled;
static char buffer[1 << 16], input[64];

static void *work(void *seed) {
    unsigned state = (unsigned)(unsigned long)seed;
    char **kept = calloc(slots, sizeof *kept);
    for (unsigned long round = 0;; round++) {
        unsigned slot = (unsigned)(rand_r(&state) % slots);
        free(kept[slot]);
        size_t size = 16 + rand_r(&state) % 1500;
        kept[slot] = rand_r(&state) % 3 ? memset(malloc(size), 1, size) : NULL;
        if (round == slots * 8)
            pthread_barrier_wait(&filled);
    }
    return NULL;
}

int main(int count, char **words) {
    if (count < 3)
        return 2;
    unsigned long threads = strtoul(words[1], NULL, 10);
    slots = strtoul(words[2], NULL, 10);
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    setvbuf(stdin, input, _IOFBF, sizeof input);
    pthread_barrier_init(&filled, NULL, (unsigned)threads + 1);
    for (unsigned long i = 1; i <= threads; i++) {
        pthread_t one;
        if (pthread_create(&one, NULL, work, (void *)i))
            return 4;
    }
    pthread_barrier_wait(&filled);
    do {
        malloc_info(0, stdout);
        puts("ready");
        fflush(stdout);
    } while (getchar() != EOF);
    return 0;
}
