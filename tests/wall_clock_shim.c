/* Preloaded in a test: adds the seconds that are in a mapped file to the wall clock. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile long *offset;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void map_offset(void)
{
    int fd = open(getenv("WALL_CLOCK_OFFSET"), O_RDONLY);
    void *mapped = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
    if (fd < 0 || mapped == MAP_FAILED)
        abort();
    offset = mapped;
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
}

int clock_gettime(clockid_t clock, struct timespec *spec)
{
    int result = real_clock_gettime(clock, spec);
    if (result == 0 && clock == CLOCK_REALTIME)
        spec->tv_sec += *offset;
    return result;
}
