/* Fills the main arena so that many of its lists of one size have several chunks, tells what malloc_info says, and waits. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT 6000
static char buffer[1 << 16];

int main(void) {
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    static char *kept[COUNT];
    for (int i = 0; i < COUNT; i++)
        kept[i] = malloc(200 + (unsigned)i * 7919 % 600);
    for (int i = 0; i < COUNT; i += 2)
        free(kept[i]);
    /* None of them fits: they are sorted into their lists. */
    char *volatile large = malloc(60000);
    free(large);
    malloc_info(0, stdout);
    puts("ready");
    fflush(stdout);
    while (read(0, &(char){0}, 1) < 0) {}
    return 0;
}
