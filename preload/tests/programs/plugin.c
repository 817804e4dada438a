/* Loaded and unloaded while the program runs. */
#include <stdlib.h>
#include <string.h>

static _Thread_local char *kept;

char *make(size_t size)
{
    free(kept);
    kept = malloc(100);
    char *made = malloc(size);
    if (made != NULL)
        memset(made, 'p', size);
    free(kept);
    kept = NULL;
    return made;
}
