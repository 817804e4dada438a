// A small allocator that stands for any that can be put in front of the C library's: lists of free blocks by powers of
// two, under one lock.
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

struct block {
    size_t order;
    struct block *next;
};

#define HEAD 16
#define CHUNK (1 << 20)

static struct block *lists[64];
static char *at;
static size_t left;
static atomic_flag lock = ATOMIC_FLAG_INIT;

static void *pages(size_t size) {
    void *got = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return got == MAP_FAILED ? NULL : got;
}

void *malloc(size_t size) {
    size_t order = 5;
    while (((size_t)1 << order) < size + HEAD) order++;
    size_t whole = (size_t)1 << order;
    while (atomic_flag_test_and_set(&lock)) {}
    struct block *block = lists[order];
    if (block) {
        lists[order] = block->next;
    } else if (whole > CHUNK / 4) {
        block = pages(whole);
    } else {
        if (left < whole) {
            at = pages(CHUNK);
            left = at ? CHUNK : 0;
        }
        block = left ? (struct block *)at : NULL;
        if (block) {
            at += whole;
            left -= whole;
        }
    }
    atomic_flag_clear(&lock);
    if (!block) return NULL;
    block->order = order;
    return (char *)block + HEAD;
}

void free(void *given) {
    if (!given) return;
    struct block *block = (struct block *)((char *)given - HEAD);
    // An aligned block has its distance from the true one where the order would be.
    if (block->order >= 64) block = (struct block *)((char *)given - block->order - HEAD);
    while (atomic_flag_test_and_set(&lock)) {}
    block->next = lists[block->order];
    lists[block->order] = block;
    atomic_flag_clear(&lock);
}

static size_t usable(void *given) {
    struct block *block = (struct block *)((char *)given - HEAD);
    size_t moved = 0;
    if (block->order >= 64) moved = block->order, block = (struct block *)((char *)given - moved - HEAD);
    return ((size_t)1 << block->order) - HEAD - moved;
}

void *calloc(size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) return NULL;
    void *got = malloc(count * size);
    return got ? memset(got, 0, count * size) : NULL;
}

void *realloc(void *given, size_t size) {
    if (!given) return malloc(size);
    size_t had = usable(given);
    if (size <= had) return given;
    void *got = malloc(size);
    if (!got) return NULL;
    memcpy(got, given, had);
    free(given);
    return got;
}

void *memalign(size_t alignment, size_t size) {
    if (alignment <= 16) return malloc(size);
    if (alignment < 64) alignment = 64;
    char *got = malloc(size + 2 * alignment);
    if (!got) return NULL;
    char *aligned = (char *)(((uintptr_t)got + 2 * alignment - 1) & ~(uintptr_t)(alignment - 1));
    ((struct block *)(aligned - HEAD))->order = (size_t)(aligned - got);
    return aligned;
}

int posix_memalign(void **into, size_t alignment, size_t size) {
    *into = memalign(alignment, size);
    return *into ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

size_t malloc_usable_size(void *given) { return given ? usable(given) : 0; }
