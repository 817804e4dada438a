/* Every function of the family, once or twice each, as its manual says; then the ends that are not so plain: all
 * descriptors closed, a signal handler that allocates, a child by fork that allocates and exits. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(truth)                                                            \
    do {                                                                        \
        if (!(truth)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #truth); \
            abort();                                                            \
        }                                                                       \
    } while (0)

void free_sized(void *, size_t) __attribute__((weak));
void free_aligned_sized(void *, size_t, size_t) __attribute__((weak));

static volatile sig_atomic_t handled;

static void allocate(int signal)
{
    (void)signal;
    free(malloc(100));
    handled++;
}

static void family(void)
{
    volatile size_t huge = SIZE_MAX / 2;
    char *p = malloc(100);
    CHECK(p != NULL && malloc_usable_size(p) >= 100);
    p = realloc(p, 100000);
    CHECK(p != NULL);
    errno = 0;
    CHECK(realloc(p, huge) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(reallocarray(p, huge, huge) == NULL && errno == ENOMEM);
    p = reallocarray(p, 10, 20);
    CHECK(p != NULL && realloc(p, 0) == NULL);
    errno = 0;
    CHECK(malloc(huge) == NULL && errno == ENOMEM);
    p = calloc(10, 10);
    CHECK(p != NULL && p[99] == 0);
    errno = 4711;
    free(p);
    free(NULL);
    CHECK(errno == 4711);
    void *q = NULL;
    CHECK(posix_memalign(&q, 4096, 10) == 0 && (uintptr_t)q % 4096 == 0);
    free(q);
    CHECK(posix_memalign(&q, 3, 10) == EINVAL);
    q = aligned_alloc(256, 512);
    CHECK((uintptr_t)q % 256 == 0);
    CHECK(free_sized != NULL && free_aligned_sized != NULL);
    free_aligned_sized(q, 256, 512);
    q = memalign(64, 10);
    free_sized(q, 10);
    free(valloc(10));
    free(pvalloc(10));
    CHECK(malloc_usable_size(NULL) == 0);
}

int main(void)
{
    family();
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    struct sigaction action = {.sa_handler = allocate};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 200}, {0, 200}};
    setitimer(ITIMER_REAL, &often, NULL);
    while (handled < 50)
        sigsuspend(&(sigset_t){0});
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    for (int i = 0; i < 100000; i++)
        free(malloc((size_t)i % 5000));
    pid_t child = fork();
    if (child == 0) {
        family();
        exit(0);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    puts("ok");
    return 0;
}
