/* A signal handler allocates and frees at any moment, in that of the allocator and of the recorder too, while the
 * program does. With an allocator of its own, which may be called at any moment, as glibc's may not. Prints how
 * often malloc and free were called. Built twice: with -DALLOCATOR the allocator, else the program. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef ALLOCATOR
/* Objects of one size, in a ring: each is handed out again only after all others were. */
enum { SIZE = 1024, COUNT = 1 << 15 };
static _Alignas(4096) char memory[(size_t)SIZE * COUNT];
static atomic_uint next;

void *malloc(size_t size)
{
    if (size > SIZE)
        abort();
    return memory + (size_t)SIZE * (atomic_fetch_add(&next, 1) % COUNT);
}

void free(void *object)
{
    (void)object;
}

void *calloc(size_t count, size_t size)
{
    return memset(malloc(count * size), 0, count * size);
}
#else
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void handler(int number)
{
    (void)number;
    void *volatile object = malloc(24);
    free(object);
    handled++;
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGPROF, &action, NULL);
    struct itimerval often = {{0, 50}, {0, 50}};
    if (setitimer(ITIMER_PROF, &often, NULL) != 0)
        return 1;
    long calls = 0;
    while (handled < 60) {
        void *volatile object = malloc(100);
        free(object);
        calls += 2;
    }
    often = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_PROF, &often, NULL);
    calls += 2 * (long)handled;
    /* Without a stream, whose buffer would be one more call. */
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", calls);
    return write(1, text, (size_t)length) == length ? 0 : 1;
}
#endif
