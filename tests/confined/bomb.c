/* Programs that try to hold or use as much as they can, one kind at a time: bomb KIND. `scripts/bombs` runs them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1ul << 20)

static void rest(void) { for (;;) pause(); }

static void fill(size_t bytes) {
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) exit(1);
    for (size_t i = 0; i < bytes; i += 4096) p[i] = 1;
}

/* Twenty processes, each of which holds 200 MiB. */
static void children(void) {
    for (int n = 0; n < 20; n++) if (fork() == 0) { fill(200 * MIB); rest(); }
    rest();
}

static void one(void) { fill(4096 * MIB); rest(); }

/* Large pages, which are taken fastest. */
static void large(void) {
    for (int n = 0; n < 2; n++) if (fork() == 0) {
        char *p = mmap(NULL, 4096 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED) exit(1);
        madvise(p, 4096 * MIB, MADV_HUGEPAGE);
        for (size_t i = 0; i < 4096 * MIB; i += 4096) p[i] = 1;
        rest();
    }
    rest();
}

static void forks(void) { for (;;) fork(); }

static void files_in(const char *directory) {
    static char block[MIB];
    memset(block, 1, sizeof block);
    for (int n = 0;; n++) {
        char name[64];
        snprintf(name, sizeof name, "%s/f%d", directory, n);
        int fd = open(name, O_WRONLY | O_CREAT, 0600);
        if (fd < 0) rest();
        unlink(name);
        for (int k = 0; k < 16; k++) if (write(fd, block, sizeof block) < 0) rest();
    }
}

static void scratch(void) { files_in("/job/work"); }
static void shm(void) { files_in("/dev/shm"); }

/* Memory that no process has mapped: a child fills it and ends. */
static void hidden(void) {
    for (int n = 0; n < 200; n++) {
        char *p = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) exit(1);
        if (fork() == 0) { memset(p, 1, 16 * MIB); _exit(0); }
        wait(NULL);
        munmap(p + 4096, 16 * MIB - 4096);
    }
    rest();
}

static void in_each_of(int processes, void (*hold)(void)) {
    for (int n = 0; n < processes; n++) if (fork() == 0) { hold(); rest(); }
    rest();
}

static void pipes_of_one(void) {
    static char block[65536];
    for (;;) {
        int ends[2];
        if (pipe2(ends, O_NONBLOCK)) return;
        fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
        while (write(ends[1], block, sizeof block) > 0) {}
    }
}
static void pipes(void) { in_each_of(16, pipes_of_one); }

static void sockets_of_one(void) {
    static char block[65536];
    for (;;) {
        int ends[2], size = 1 << 30;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends)) return;
        for (int k = 0; k < 2; k++) {
            setsockopt(ends[k], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
            while (write(ends[k], block, sizeof block) > 0) {}
        }
    }
}
static void sockets(void) { in_each_of(16, sockets_of_one); }

/* Pages of zeros, each of which takes a page of tables. */
static void tables(void) {
    char *p = mmap(NULL, 1ul << 39, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) exit(1);
    volatile char sum = 0;
    for (size_t i = 0; i < 1ul << 39; i += 2 * MIB) sum += p[i];
    rest();
}

static void locks(void) {
    for (int n = 0; n < 200; n++) {
        char name[32];
        snprintf(name, sizeof name, "l%d", n);
        int fd = open(name, O_RDWR | O_CREAT, 0600);
        for (long k = 2000; k > 0; k--) {
            struct flock lock = { .l_type = F_WRLCK, .l_start = k * 2, .l_len = 1 };
            fcntl(fd, F_SETLK, &lock);
        }
    }
    rest();
}

/* Small mappings that cannot be merged. */
static void mappings_of_one(void) {
    for (;;) {
        if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) return;
        if (mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) return;
    }
}
static void mappings(void) { in_each_of(16, mappings_of_one); }

static void descriptors_of_one(void) { while (open("/dev/null", O_RDONLY) >= 0) {} }
static void descriptors(void) { in_each_of(60, descriptors_of_one); }

static void cpu(void) { for (int n = 0; n < 63; n++) if (fork() == 0) break; for (;;) {} }

/* Children that nobody waits for, each of which lives for 10 ms. */
static void cpu_unseen(void) {
    signal(SIGCHLD, SIG_IGN);
    for (int n = 0; n < 3; n++) if (fork() == 0) break;
    for (;;) {
        if (fork() == 0) {
            struct timespec start, now;
            clock_gettime(CLOCK_MONOTONIC, &start);
            do clock_gettime(CLOCK_MONOTONIC, &now);
            while ((now.tv_sec - start.tv_sec) * 1000000000l + now.tv_nsec - start.tv_nsec < 10000000l);
            _exit(0);
        }
        usleep(10000);
    }
}

static void sleepers(void) { while (fork() >= 0) {} rest(); }

/* Each process starts the next one and ends. */
static void orphans(void) { for (;;) if (fork() > 0) _exit(0); }
static void orphans_behind_a_leader(void) { if (fork() == 0) orphans(); rest(); }

static const struct { const char *name; void (*run)(void); } KINDS[] = {
    { "children", children }, { "one", one }, { "large", large }, { "forks", forks }, { "scratch", scratch },
    { "shm", shm }, { "hidden", hidden }, { "pipes", pipes }, { "sockets", sockets }, { "tables", tables },
    { "locks", locks }, { "mappings", mappings }, { "descriptors", descriptors }, { "cpu", cpu },
    { "cpu-unseen", cpu_unseen }, { "sleepers", sleepers }, { "orphans", orphans_behind_a_leader },
};

int main(int argc, char **argv) {
    for (size_t n = 0; argc > 1 && n < sizeof KINDS / sizeof *KINDS; n++)
        if (strcmp(argv[1], KINDS[n].name) == 0) KINDS[n].run();
    fprintf(stderr, "usage: bomb KIND\n");
    return 2;
}
