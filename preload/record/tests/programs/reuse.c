/* Threads pass objects of one size to each other: one frees what another had, and gets the same address again, over and
 * over. Usage: reuse ROUNDS */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, BOXES = 4 };

static _Atomic(char *) boxes[BOXES];
static long rounds;

static void *work(void *number)
{
    for (long i = 0; i < rounds; i++) {
        char *fresh = malloc(48);
        if (fresh == NULL)
            abort();
        *(volatile char *)fresh = 1;
        free(atomic_exchange(&boxes[((long)number + i) % BOXES], fresh));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    rounds = argc > 1 ? atol(argv[1]) : 1000;
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)i) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    puts("ok");
    return 0;
}
