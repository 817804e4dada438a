/* Does something to its surroundings that a recorder would stumble over, allocates a lot before and after, and says ok.
 * Usage: harm close | chroot DIR | rename FROM TO | taken FILE */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void allocate(void)
{
    static void *volatile slots[512];
    for (unsigned i = 0, state = 1; i < 200000; i++) {
        state = state * 1664525u + 1013904223u;
        void *volatile *slot = &slots[state >> 23];
        free(*slot);
        *slot = malloc(1 + (state >> 8) % 2000);
        if (*slot == NULL)
            abort();
    }
}

static void close_all(void)
{
    for (int fd = 3; fd < 2048; fd++)
        close(fd);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    allocate();
    if (strcmp(what, "close") == 0) {
        close_all();
    } else if (strcmp(what, "chroot") == 0 && argc == 3) {
        if (chroot(argv[2]) != 0)
            return 77;
        close_all();
    } else if (strcmp(what, "rename") == 0 && argc == 4) {
        if (rename(argv[2], argv[3]) != 0)
            return 1;
        close_all();
    } else if (strcmp(what, "taken") == 0 && argc == 3) {
        /* Every number that the recorder may have had is another file's now. */
        close_all();
        int mine = open(argv[2], O_RDWR | O_CREAT, 0600);
        if (mine < 0 || write(mine, "mine", 4) != 4)
            return 1;
        for (int fd = 800; fd < 1020; fd++)
            dup2(mine, fd);
    } else {
        return 2;
    }
    allocate();
    puts("ok");
    return 0;
}
