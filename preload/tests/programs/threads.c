/* Many threads allocate, free what others allocated, end and begin, load a plugin, and fork: each child
 * must be able to allocate and to start a thread. With "quiet" the other threads are between two calls while
 * one forks; with "any" they are wherever they are. Usage: threads LIBRARY PLUGIN quiet|any */
#include "served.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 4, SLOTS = 512 };

static _Atomic(void *) slots[SLOTS];
static atomic_int stop;
static const char *plugin;
static int quiet;
static pthread_rwlock_t fork_lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

enum { FORKS = 60 };

/* Around everything that allocates, so that a quiet fork can wait for it. */
static void begin(void)
{
    if (quiet)
        pthread_rwlock_rdlock(&fork_lock);
}

static void end(void)
{
    if (quiet)
        pthread_rwlock_unlock(&fork_lock);
}

static pid_t fork_now(void)
{
    if (quiet)
        pthread_rwlock_wrlock(&fork_lock);
    pid_t pid = fork();
    if (quiet)
        pthread_rwlock_unlock(&fork_lock);
    return pid;
}

static unsigned next(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Puts new objects in shared slots and frees what was there, whoever had put it. */
static void exchange(unsigned *state, int times)
{
    for (int i = 0; i < times; i++) {
        size_t size = 1u << (next(state) % 17);
        size += next(state) % size;
        char *fresh = next(state) % 8 == 0 ? aligned_alloc(64, (size + 63) / 64 * 64) : malloc(size);
        CHECK(fresh != NULL);
        fresh[0] = fresh[size - 1] = 1;
        free(atomic_exchange(&slots[next(state) % SLOTS], fresh));
    }
}

static void *work(void *seed)
{
    unsigned state = (unsigned)(size_t)seed;
    while (!stop) {
        begin();
        exchange(&state, 100);
        end();
    }
    return NULL;
}

static void *brief(void *seed)
{
    unsigned state = (unsigned)(size_t)seed;
    exchange(&state, 20);
    return NULL;
}

/* Threads that end soon after they began. */
static void *begin_and_end(void *seed)
{
    while (!stop) {
        pthread_t thread;
        begin();
        CHECK(pthread_create(&thread, NULL, brief, seed) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        end();
    }
    return NULL;
}

/* A library that is loaded late, allocates in thread-local storage of its own, and goes again. */
static void *load_and_unload(void *unused)
{
    while (!stop) {
        begin();
        void *handle = dlopen(plugin, RTLD_NOW);
        CHECK(handle != NULL);
        char *(*make)(size_t) = (char *(*)(size_t))dlsym(handle, "make");
        CHECK(make != NULL);
        char *made = make(5000);
        CHECK(made != NULL && made[4999] == 'p');
        free(made);
        CHECK(dlclose(handle) == 0);
        end();
    }
    return unused;
}

static void child(unsigned seed)
{
    alarm(30);
    unsigned state = seed;
    exchange(&state, 2000);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, brief, (void *)(size_t)seed) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    void *big = malloc((size_t)80 << 20);
    CHECK(big != NULL);
    free(big);
    _exit(0); /* exit would wait for the dynamic linker, whose lock another thread may have held */
}

/* Forks while the others hold whatever locks they hold. */
static void *fork_often(void *seed)
{
    unsigned state = (unsigned)(size_t)seed;
    for (int i = 0; i < FORKS; i++) {
        begin();
        exchange(&state, 50);
        end();
        pid_t pid = fork_now();
        CHECK(pid >= 0);
        if (pid == 0)
            child(state);
        int status = 0;
        CHECK(waitpid(pid, &status, 0) == pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fprintf(stderr, "child %d of a fork ended with status %#x%s\n", i, status,
                    WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ": it hung" : "");
            _exit(1);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    must_be_served_by(argv[1]);
    plugin = argv[2];
    quiet = strcmp(argv[3], "quiet") == 0;
    pthread_t threads[WORKERS + 2], forkers[2];
    for (int i = 0; i < WORKERS; i++)
        CHECK(pthread_create(&threads[i], NULL, i % 2 ? work : begin_and_end, (void *)(size_t)(i + 1)) == 0);
    CHECK(pthread_create(&threads[WORKERS], NULL, begin_and_end, (void *)77) == 0);
    CHECK(pthread_create(&threads[WORKERS + 1], NULL, load_and_unload, NULL) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&forkers[i], NULL, fork_often, (void *)(size_t)(i + 100)) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(forkers[i], NULL) == 0);
    stop = 1;
    for (int i = 0; i < WORKERS + 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    puts("ok");
    return 0;
}
