/* The semantics of the C malloc family, function by function: alignment, errno on failure, realloc to
 * nothing, huge sizes, overflow, usable size. Usage: semantics LIBRARY */
#include "served.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <unistd.h>

/* Sizes that no system has; volatile, so that the compiler does not judge them. */
static volatile size_t huge[] = {SIZE_MAX, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX, (size_t)1 << 60};
#define EACH_HUGE(n) for (size_t i_ = 0, n; i_ < sizeof huge / sizeof *huge && ((n = huge[i_]), 1); i_++)

static int aligned_to(const void *p, size_t alignment)
{
    return ((uintptr_t)p & (alignment - 1)) == 0;
}

/* Writes all that may be used, and reads it back. */
static void use_all(void *p, size_t asked)
{
    size_t usable = malloc_usable_size(p);
    CHECK(usable >= asked);
    memset(p, 0x5a, usable);
    for (size_t i = 0; i < usable; i += 61)
        CHECK(((unsigned char *)p)[i] == 0x5a);
}

static void test_malloc(void)
{
    for (size_t n = 0; n < 70000; n += n < 300 ? 1 : 997) {
        void *p = malloc(n);
        CHECK(p != NULL);
        CHECK(aligned_to(p, n >= 16 ? 16 : 8));
        use_all(p, n);
        free(p);
    }
    void *nothing = malloc(0), *another = malloc(0);
    CHECK(nothing != NULL && another != NULL && nothing != another);
    free(nothing);
    free(another);
    char *big = malloc((size_t)1 << 30);
    CHECK(big != NULL);
    big[0] = big[((size_t)1 << 30) - 1] = 1;
    free(big);
    EACH_HUGE(n) {
        errno = 0;
        void *p = malloc(n);
        CHECK(p == NULL && errno == ENOMEM);
    }
}

static void test_calloc(void)
{
    for (int round = 0; round < 3; round++) {
        for (size_t n = 1; n < 5000000; n = n * 3 + 1) {
            unsigned char *p = calloc(n, 1);
            CHECK(p != NULL && aligned_to(p, n >= 16 ? 16 : 8));
            for (size_t i = 0; i < n; i++)
                CHECK(p[i] == 0);
            memset(p, 0xff, n); /* for the next one that gets it */
            free(p);
        }
    }
    EACH_HUGE(n) {
        errno = 0;
        void *p = calloc(n, 1);
        CHECK(p == NULL && errno == ENOMEM);
        errno = 0;
        p = calloc(n, 16);
        CHECK(p == NULL && errno == ENOMEM);
        errno = 0;
        p = calloc(n / 2, 4);
        CHECK(p == NULL && errno == ENOMEM);
    }
    void *nothing = calloc(0, 8);
    CHECK(nothing != NULL);
    free(nothing);
}

static void test_realloc(void)
{
    unsigned char *p = realloc(NULL, 10);
    CHECK(p != NULL);
    size_t old = 10;
    memset(p, 1, old);
    static const size_t sizes[] = {20, 5, 3000, 100, 300000, 40000000, 70000000, 64, 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        p = realloc(p, sizes[i]);
        CHECK(p != NULL);
        size_t kept = old < sizes[i] ? old : sizes[i];
        for (size_t at = 0; at < kept; at++)
            CHECK(p[at] == (unsigned char)(i + 1));
        memset(p, (int)i + 2, sizes[i]);
        old = sizes[i];
    }
    EACH_HUGE(n) {
        errno = 0;
        void *q = realloc(p, n);
        CHECK(q == NULL && errno == ENOMEM && p[0] == 10);
    }
    /* To nothing: either freed (NULL), as glibc does, or an object of no size. Twice over nothing leaks. */
    errno = 0;
    void *q = realloc(p, 0);
    CHECK(errno == 0);
    free(q);
}

static void test_reallocarray(void)
{
    int *p = reallocarray(NULL, 100, sizeof *p);
    CHECK(p != NULL);
    p[99] = 7;
    p = reallocarray(p, 100000, sizeof *p);
    CHECK(p != NULL && p[99] == 7);
    EACH_HUGE(n) {
        errno = 0;
        void *q = reallocarray(p, n, 16);
        CHECK(q == NULL && errno == ENOMEM && p[99] == 7);
        errno = 0;
        q = reallocarray(p, n / 2, 3);
        CHECK(q == NULL && errno == ENOMEM && p[99] == 7);
    }
    free(p);
}

static void test_posix_memalign(void)
{
    for (size_t alignment = sizeof(void *); alignment <= (size_t)4 << 20; alignment *= 2) {
        static const size_t sizes[] = {0, 1, 24, 100, 5000, 70000, 3000000};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            void *p = NULL;
            CHECK(posix_memalign(&p, alignment, sizes[i]) == 0);
            CHECK((p != NULL || sizes[i] == 0) && aligned_to(p, alignment));
            if (p != NULL)
                use_all(p, sizes[i]);
            p = realloc(p, sizes[i] + 100);
            CHECK(p != NULL);
            free(p);
        }
    }
    static const size_t wrong[] = {0, 1, 2, 3, 7, 24, 4097, sizeof(void *) / 2};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        void *p = &p;
        CHECK(posix_memalign(&p, wrong[i], 16) == EINVAL && p == &p);
    }
    EACH_HUGE(n) {
        void *p = &p;
        CHECK(posix_memalign(&p, 64, n) == ENOMEM && p == &p);
    }
}

static void test_aligned(void)
{
    for (size_t alignment = 8; alignment <= (size_t)4 << 20; alignment *= 2) {
        for (size_t n = 1; n < 3000000; n = n * 5 + 3) {
            void *p = aligned_alloc(alignment, n), *q = memalign(alignment, n);
            CHECK(p != NULL && aligned_to(p, alignment));
            CHECK(q != NULL && aligned_to(q, alignment));
            use_all(p, n);
            use_all(q, n);
            free(p);
            free(q);
        }
    }
    volatile size_t odd = 24;
    errno = 0;
    CHECK(aligned_alloc(odd, 48) == NULL && errno == EINVAL);
    EACH_HUGE(n) {
        errno = 0;
        void *p = aligned_alloc(64, n);
        CHECK(p == NULL && errno == ENOMEM);
        errno = 0;
        p = memalign(64, n);
        CHECK(p == NULL && errno == ENOMEM);
    }
}

static void test_pages(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t n = 1; n < 1000000; n = n * 7 + 1) {
        void *p = valloc(n), *q = pvalloc(n);
        CHECK(p != NULL && aligned_to(p, page));
        CHECK(q != NULL && aligned_to(q, page));
        use_all(p, n);
        use_all(q, (n + page - 1) / page * page);
        free(p);
        free(q);
    }
    EACH_HUGE(n) {
        errno = 0;
        void *p = valloc(n);
        CHECK(p == NULL && errno == ENOMEM);
        errno = 0;
        p = pvalloc(n);
        CHECK(p == NULL && errno == ENOMEM);
    }
}

static void test_free(void)
{
    void (*free_sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    void (*free_aligned_sized)(void *, size_t, size_t) =
        (void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized");
    void (*cfree)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "cfree");
    CHECK(malloc_usable_size(NULL) == 0);
    free(NULL);
    cfree(NULL);
    free_sized(NULL, 0);
    free_aligned_sized(NULL, 64, 0);
    for (size_t n = 1; n < 100000000; n = n * 3 + 1) {
        void *p = malloc(n), *q = malloc(n), *r = aligned_alloc(64, (n + 63) / 64 * 64);
        CHECK(p != NULL && q != NULL && r != NULL);
        /* POSIX.1-2024: free leaves errno as it is. */
        errno = 4711;
        free(p);
        free_sized(q, n);
        free_aligned_sized(r, 64, (n + 63) / 64 * 64);
        CHECK(errno == 4711);
        cfree(malloc(n));
    }
}

/* What the C library allocates by itself comes from the same place. */
static void test_the_c_library(void)
{
    char *copy = strdup("a string"), *printed = NULL;
    CHECK(copy != NULL && malloc_usable_size(copy) >= sizeof "a string");
    CHECK(asprintf(&printed, "%s %d", copy, 7) == 10);
    free(copy);
    free(printed);
    DIR *directory = opendir("/");
    CHECK(directory != NULL && readdir(directory) != NULL);
    closedir(directory);
    FILE *file = fopen("/proc/self/maps", "r");
    char *line = NULL;
    size_t size = 0;
    CHECK(file != NULL && getline(&line, &size, file) > 0);
    free(line);
    fclose(file);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    must_be_served_by(argv[1]);
    test_malloc();
    test_calloc();
    test_realloc();
    test_reallocarray();
    test_posix_memalign();
    test_aligned();
    test_pages();
    test_free();
    test_the_c_library();
    puts("ok");
    return 0;
}
