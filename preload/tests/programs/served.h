/* What every test program begins with: the library that it was told serves all of the C family here. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(truth)                                                                  \
    do {                                                                              \
        if (!(truth)) {                                                               \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #truth);       \
            abort();                                                                  \
        }                                                                             \
    } while (0)

static void must_be_served_by(const char *library)
{
    static const char *const names[] = {
        "malloc", "calloc", "realloc", "reallocarray", "free", "cfree", "free_sized", "free_aligned_sized",
        "posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc", "malloc_usable_size",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Dl_info info;
        void *address = dlsym(RTLD_DEFAULT, names[i]);
        if (address == NULL || dladdr(address, &info) == 0 || strstr(info.dli_fname, library) == NULL) {
            fprintf(stderr, "%s is not served by %s\n", names[i], library);
            exit(1);
        }
    }
}
