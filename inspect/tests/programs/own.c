/* Serves malloc itself, as a program with another allocator in it does, and waits. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char memory[1 << 20];
static size_t used;

void *malloc(size_t size) {
    used = (used + 31) / 16 * 16;
    *(size_t *)(memory + used - 16) = size;
    char *made = memory + used;
    used += size;
    return used <= sizeof memory ? made : NULL;
}
void free(void *made) { (void)made; }
void *calloc(size_t count, size_t size) { return malloc(count * size); }
void *realloc(void *old, size_t size) {
    void *made = malloc(size);
    if (old)
        memcpy(made, old, ((size_t *)old)[-2] < size ? ((size_t *)old)[-2] : size);
    return made;
}

int main(void) {
    puts("ready");
    fflush(stdout);
    while (read(0, &(char){0}, 1) < 0) {}
    return 0;
}
