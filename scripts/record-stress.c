/* Nothing but malloc and free: threads fill and empty slots of sizes spread evenly over the powers of two from 16 to
 * 4096 bytes, and hand one object in ten to whichever thread comes next. Always the same work.
 * Usage: record-stress THREADS CALLS */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

enum { SLOTS = 4096, MAIL = 1024 };

static _Atomic(void *) mail[MAIL];
static uint64_t calls;

static void *work(void *number)
{
    uint64_t state = 0x9e3779b97f4a7c15u * ((uint64_t)(uintptr_t)number + 1);
    void **slots = calloc(SLOTS, sizeof *slots);
    if (slots == NULL)
        abort();
    for (uint64_t done = 0; done < calls;) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        void **slot = &slots[(state >> 40) % SLOTS];
        if (*slot == NULL) {
            size_t least = (size_t)16 << (state & 7);
            size_t size = least + ((state >> 8) & (least - 1));
            unsigned char *fresh = malloc(size);
            if (fresh == NULL)
                abort();
            fresh[0] = fresh[size - 1] = 1;
            *slot = fresh;
            done++;
        } else {
            void *old = *slot;
            *slot = NULL;
            if ((state >> 24) % 10 == 0)
                old = atomic_exchange(&mail[(state >> 14) % MAIL], old);
            done += old != NULL;
            free(old);
        }
    }
    for (int i = 0; i < SLOTS; i++)
        free(slots[i]);
    free(slots);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int threads = atoi(argv[1]);
    if (threads < 1 || threads > 1024)
        return 2;
    calls = strtoull(argv[2], NULL, 10) / (uint64_t)threads;
    pthread_t running[1024];
    for (int i = 0; i < threads; i++)
        if (pthread_create(&running[i], NULL, work, (void *)(uintptr_t)i) != 0)
            return 1;
    for (int i = 0; i < threads; i++)
        pthread_join(running[i], NULL);
    for (int i = 0; i < MAIL; i++)
        free(atomic_exchange(&mail[i], NULL));
    return 0;
}
