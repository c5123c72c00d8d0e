/* Preloaded into Postgres: an fdatasync takes BENCH_FSYNC_MS at least, so that figures of different disks compare. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

int fdatasync(int file) {
    static int (*real)(int);
    static long least_ns;
    if (!real) {
        const char *ms = getenv("BENCH_FSYNC_MS");
        least_ns = ms ? (long)(atof(ms) * 1e6) : 0;
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += least_ns;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    int result = real(file), error = errno;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
    errno = error;
    return result;
}
