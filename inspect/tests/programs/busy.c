/* Allocates and frees without end in the main arena and in those of some threads.
 *
 *   busy THREADS */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_barrier_t begun;

static void *work(void *seed) {
    unsigned state = (unsigned)(unsigned long)seed;
    static __thread char *kept[2000];
    for (unsigned long round = 0;; round++) {
        unsigned slot = rand_r(&state) % 2000;
        free(kept[slot]);
        kept[slot] = malloc(16 + rand_r(&state) % (round % 8 ? 1500 : 9000));
        if (round == 0)
            pthread_barrier_wait(&begun);
        if (seed == NULL && round == 20000) {
            puts("ready");
            fflush(stdout);
        }
    }
    return NULL;
}

int main(int count, char **words) {
    mallopt(M_ARENA_MAX, 2);
    int threads = count > 1 ? atoi(words[1]) : 0;
    pthread_barrier_init(&begun, NULL, threads + 1);
    for (long i = 0; i < threads; i++) {
        pthread_t one;
        if (pthread_create(&one, NULL, work, (void *)(i + 1)))
            return 4;
    }
    work(NULL);
    return 0;
}
