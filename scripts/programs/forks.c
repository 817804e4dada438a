// A batch job of many processes: a parent of 50 MiB, four children of 10 MiB each for two thirds of the time, and
// besides them children that come and go, each fiftieth with 60 MiB for 60 ms. `forks CHILDREN`.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Kept, so that no compiler leaves it out.
static char *volatile kept;

static void hold(size_t mib) {
    if (!(kept = malloc(mib << 20))) _exit(1);
    memset(kept, 7, mib << 20);
}

int main(int count, char **words) {
    int children = count > 1 ? atoi(words[1]) : 200, steady[4];
    hold(50);
    for (int i = 0; i < 4; i++) {
        if (!(steady[i] = fork())) { hold(10); pause(); _exit(0); }
    }
    for (int i = 0; i < children; i++) {
        int spike = i % 50 == 25;
        if (i == children * 2 / 3) {
            for (int k = 0; k < 4; k++) { kill(steady[k], SIGTERM); waitpid(steady[k], 0, 0); }
        }
        int child = fork();
        if (!child) { hold(spike ? 60 : 1); usleep(spike ? 60000 : 5000); _exit(0); }
        waitpid(child, 0, 0);
        usleep(5000);
    }
    printf("children %d\n", children);
    return 0;
}
