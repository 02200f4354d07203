/* Tries one thing that a job must not be able to do: `probe NAME [ARGUMENT]`.
 * Ends with 0 if it was done, and with 1 and the reason on standard error if it was not. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *arg;
static char path[4096];

static const char *in(const char *name) {
    snprintf(path, sizeof path, "%s/%s", arg, name);
    return path;
}
static int number(void) { return atoi(arg); }
static int opens(const char *p, int flags) { return open(p, flags | O_CLOEXEC, 0600); }

/* Files. ARGUMENT is a directory that the job was not granted. */
static int file_read(void) {
    char byte;
    int fd = opens(in("secret"), O_RDONLY);
    return fd < 0 ? -1 : read(fd, &byte, 1) == 1 ? 0 : -1;
}
static int file_create(void) { return opens(in("created"), O_WRONLY | O_CREAT); }
static int file_write(void) {
    int fd = opens(in("writable"), O_WRONLY);
    return fd < 0 ? -1 : write(fd, "x", 1) == 1 ? 0 : -1;
}
static int file_truncate(void) { return truncate(in("writable"), 1); }
static int file_by_link(void) {
    unlink("link");
    return symlink(in("secret"), "link") ? -1 : opens("link", O_RDONLY);
}
static int file_by_hard_link(void) { return link(in("writable"), "hard"); }
static int file_by_dots(void) {
    char up[5000] = "../../../../../../../../../..";
    strcat(up, in("secret"));
    return opens(up, O_RDONLY);
}
static int file_by_proc(void) {
    char up[5000] = "/proc/self/root";
    strcat(up, in("secret"));
    return opens(up, O_RDONLY);
}
static int file_rename(void) {
    char from[4096];
    strcpy(from, in("movable"));
    return rename(from, in("moved"));
}
static int file_unlink(void) { return unlink(in("removable")); }
static int file_mkdir(void) { return mkdir(in("directory"), 0700); }
static int file_fifo(void) { return mkfifo(in("fifo"), 0600); }
static int file_symlink(void) { return symlink("/", in("symlink")); }
static int file_list(void) { return opendir(arg) ? 0 : -1; }
static int file_stat(void) { struct stat s; return stat(in("secret"), &s); }
static int file_chmod(void) { return chmod(in("owned"), 0644); }
static int file_xattr(void) { return setxattr(in("owned"), "user.probe", "x", 1, 0); }
static int file_utime(void) { return utimes(in("owned"), NULL); }
static int file_chdir(void) { return chdir(arg); }
static int file_watch(void) { return inotify_add_watch(inotify_init(), arg, IN_ALL_EVENTS); }
static int own(int mode) { unlink("own"); return open("own", O_CREAT | O_RDWR, mode); }
static int set_id(void) { struct stat s; return stat("own", &s) || !(s.st_mode & 06000) ? -1 : 0; }
static int file_set_id(void) { own(0700); chmod("own", 04755); return set_id(); }
static int file_set_id_at(void) { own(0700); fchmodat(AT_FDCWD, "own", 02755, 0); return set_id(); }
static int file_set_id_open(void) { int fd = own(0700); fchmod(fd, 06755); return set_id(); }
static int file_whiteout(void) {
    struct stat s;
    own(0600);
    /* RENAME_WHITEOUT leaves a device where the file was. */
    return syscall(SYS_renameat2, AT_FDCWD, "own", AT_FDCWD, "moved", 4u) || stat("own", &s) ? -1 : 0;
}
static int file_set_id_made(void) { own(04755); return set_id(); }
static int file_lease(void) { int fd = own(0600); close(fd); return fcntl(open("own", O_RDONLY), F_SETLEASE, F_RDLCK); }
static int file_notify(void) { return fcntl(open("/usr", O_RDONLY), F_NOTIFY, DN_ACCESS); }
static int file_statfs(void) { char b[512]; return (int)syscall(SYS_statfs, arg, b); }
static int shared_memory_file(void) {
    snprintf(path, sizeof path, "/dev/shm/%s", arg);
    return opens(path, O_RDONLY);
}
/* Every job has an /etc/passwd. This system has more users than that. */
static int host_users(void) {
    int lines = 0;
    FILE *users = fopen("/etc/passwd", "r");
    if (!users) return -1;
    for (int c; (c = getc(users)) != EOF;) lines += c == '\n';
    errno = EPERM;
    return lines > 2 ? 0 : -1;
}
static int device_ptmx(void) { return opens("/dev/ptmx", O_RDWR); }
static int device_mem_list(void) { return opendir("/dev") ? 0 : -1; }
static int bind_path(void) {
    struct sockaddr_un a = {AF_UNIX, ""};
    strcpy(a.sun_path, in("bound"));
    return bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a);
}

/* Execution. */
static int run(char *const argv[]) {
    int status;
    pid_t child = vfork();
    if (child == 0) { execv(argv[0], argv); _exit(126); }
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    errno = EACCES;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
static int copy_true(int to) {
    char buffer[65536];
    ssize_t n;
    int from = opens("/bin/true", O_RDONLY);
    if (from < 0) exit(3);
    while ((n = read(from, buffer, sizeof buffer)) > 0)
        if (write(to, buffer, n) != n) exit(3);
    return 0;
}
static int exec_outside(void) { char *a[] = {(char *)in("tool"), NULL}; return run(a); }
static int exec_written(void) {
    int fd = open("written", O_WRONLY | O_CREAT, 0700);
    if (fd < 0) exit(3);
    copy_true(fd); close(fd);
    char *a[] = {"./written", NULL};
    return run(a);
}
/* ARGUMENT is another place where everybody may write. */
static int exec_written_in(void) {
    int fd = open(in("brine-probe-written"), O_WRONLY | O_CREAT, 0700);
    if (fd < 0) return -1;
    copy_true(fd); close(fd);
    char *a[] = {path, NULL};
    int done = run(a);
    unlink(path);
    errno = EACCES;
    return done;
}
static int exec_by_loader(void) {
    int fd = open("written", O_WRONLY | O_CREAT, 0700);
    if (fd < 0) exit(3);
    copy_true(fd); close(fd);
#if defined(__x86_64__)
    char *a[] = {"/lib64/ld-linux-x86-64.so.2", "./written", NULL};
#else
    char *a[] = {"/lib/ld-linux-aarch64.so.1", "./written", NULL};
#endif
    return run(a);
}
static int exec_memory(void) {
    int fd = (int)syscall(SYS_memfd_create, "x", 0u);
    if (fd < 0) return -1;
    copy_true(fd);
    char *argv[] = {"x", NULL};
    syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
    return -1;
}
static int map_written(void) {
    int fd = open("written", O_RDWR | O_CREAT, 0700);
    if (fd < 0) exit(3);
    copy_true(fd);
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0;
}
static int set_user_id(void) {
    char *a[] = {(char *)in("setuid"), "am-i-root", "-", NULL};
    return run(a);
}
static int am_i_root(void) { errno = EPERM; return geteuid() == 0 ? 0 : -1; }

/* Other processes. ARGUMENT is the number of one of the same user. */
static int process_signal(void) { return kill(number(), SIGURG); }
static int process_trace(void) { return (int)ptrace(PTRACE_SEIZE, number(), 0, 0); }
static int process_read(void) {
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)environ, 1};
    ssize_t n = process_vm_readv(number(), &here, 1, &there, 1, 0);
    /* The address is nothing in the other process; that it was looked for is what counts. */
    return n == 1 || errno == EFAULT ? 0 : -1;
}
static int process_file(const char *name, int flags) {
    snprintf(path, sizeof path, "/proc/%d/%s", number(), name);
    return opens(path, flags);
}
static int process_environment(void) { return process_file("environ", O_RDONLY); }
static int process_memory(void) { return process_file("mem", O_RDWR); }
static int process_command(void) { return process_file("cmdline", O_RDONLY); }
static int process_descriptor(void) {
    int p = (int)syscall(SYS_pidfd_open, number(), 0);
    return p < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, p, 1, 0);
}
/* The lowest priority: a higher one than that of the process is nobody's to give. */
static int process_priority(void) { return setpriority(PRIO_PROCESS, number(), 19); }
static int process_schedule(void) {
    struct sched_param none = {0};
    return sched_setscheduler(number(), SCHED_BATCH, &none);
}
/* IOPRIO_WHO_PROCESS and IOPRIO_WHO_USER; best effort, 4, as everything has it. */
static int process_io_priority(void) { return (int)syscall(SYS_ioprio_set, 1, number(), 2 << 13 | 4); }
static int user_io_priority(void) { return (int)syscall(SYS_ioprio_set, 3, getuid(), 2 << 13 | 4); }
static int process_affinity(void) {
    cpu_set_t set;
    return sched_getaffinity(number(), sizeof set, &set);
}
static int process_limit(void) {
    struct rlimit limit;
    return prlimit(number(), RLIMIT_NOFILE, NULL, &limit);
}
static int process_compare(void) { return (int)syscall(SYS_kcmp, getpid(), number(), 1, 0, 0); }
static int process_session(void) { return getsid(number()); }

/* What processes share. ARGUMENT is a key, or a name. */
static int ipc_memory(void) { return shmget(number(), 1, 0); }
static int ipc_queue(void) { return msgget(number(), 0); }
static int ipc_new_memory(void) { return shmget(IPC_PRIVATE, 4096, 0600 | IPC_CREAT); }
static int host_name(void) {
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    errno = ENOENT;
    return strcmp(name, arg) == 0 ? 0 : -1;
}

/* Network. ARGUMENT is a port of this host, the name of a socket, or its path. */
static struct sockaddr_in loopback(void) {
    struct sockaddr_in a = {0};
    a.sin_family = AF_INET;
    a.sin_port = htons(number());
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}
static int tcp_connect_as(int protocol) {
    struct sockaddr_in a = loopback();
    int s = socket(AF_INET, SOCK_STREAM, protocol);
    return s < 0 ? -1 : connect(s, (void *)&a, sizeof a);
}
static int tcp_connect(void) { return tcp_connect_as(0); }
static int mptcp_connect(void) { return tcp_connect_as(262); }
static int tcp_listen(void) {
    struct sockaddr_in a = {0};
    a.sin_family = AF_INET;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    return s < 0 || bind(s, (void *)&a, sizeof a) ? -1 : listen(s, 1);
}
static int tcp_listen_unbound(void) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    return s < 0 ? -1 : listen(s, 1);
}
static int tcp_fast_open(void) {
    struct sockaddr_in a = loopback();
    int s = socket(AF_INET, SOCK_STREAM, 0);
    return s < 0 ? -1 : sendto(s, "x", 1, MSG_FASTOPEN, (void *)&a, sizeof a) == 1 ? 0 : -1;
}
static int tcp_fast_open_message(void) {
    struct sockaddr_in a = loopback();
    struct iovec v = {"x", 1};
    struct msghdr m = {&a, sizeof a, &v, 1, NULL, 0, 0};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    return s < 0 ? -1 : sendmsg(s, &m, MSG_FASTOPEN) == 1 ? 0 : -1;
}
static int udp_send(void) {
    struct sockaddr_in a = loopback();
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    return s < 0 ? -1 : sendto(s, "x", 1, 0, (void *)&a, sizeof a) == 1 ? 0 : -1;
}
static int unix_connect(void) {
    struct sockaddr_un a = {AF_UNIX, ""};
    strcpy(a.sun_path, in("socket"));
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    return s < 0 ? -1 : connect(s, (void *)&a, sizeof a);
}
static int unix_abstract(void) {
    struct sockaddr_un a = {AF_UNIX, ""};
    strcpy(a.sun_path + 1, arg);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(arg);
    return s < 0 ? -1 : connect(s, (void *)&a, length);
}
static int unix_by_pair(void) {
    struct sockaddr_un a = {AF_UNIX, ""};
    int pair[2];
    strcpy(a.sun_path, in("datagrams"));
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)) return -1;
    return sendto(pair[0], "x", 1, 0, (void *)&a, sizeof a) == 1 ? 0 : -1;
}
static int netlink(void) { return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE); }
static int local_socket(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }

/* The kernel. */
static int new_user(void) { return unshare(CLONE_NEWUSER); }
static int new_user_clone(void) {
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    return child < 0 ? -1 : waitpid(child, NULL, 0) == child ? 0 : -1;
}
static int new_user_clone_upper(void) {
    /* The kernel reads the lower half of the flags only. */
    unsigned long flags = 0xffffffff00000000ul | CLONE_NEWUSER | SIGCHLD;
    long child = syscall(SYS_clone, flags, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    return child < 0 ? -1 : waitpid(child, NULL, 0) == child ? 0 : -1;
}
static int clone_three(void) {
    unsigned long a[8] = {0, 0, 0, 0, SIGCHLD};
    long child = syscall(SYS_clone3, a, sizeof a);
    if (child == 0) _exit(0);
    return child < 0 ? -1 : waitpid(child, NULL, 0) == child ? 0 : -1;
}
static int io_uring(void) { char p[120] = {0}; return (int)syscall(SYS_io_uring_setup, 1, p); }
static int keyring(void) { return (int)syscall(SYS_keyctl, 0, -3, 1); }
static int session_keyring(void) {
    int ring = (int)syscall(SYS_keyctl, 0, -3, 0);
    printf("%d\n", ring);
    return ring;
}
static int add_key(void) { return (int)syscall(SYS_add_key, "user", "probe", "x", 1, -2); }
static int user_fault(void) { return (int)syscall(SYS_userfaultfd, 1); }
static int no_randomisation(void) { return (int)syscall(SYS_personality, 0x0040000ul); }
static int performance(void) {
    char a[128] = {1, 0, 0, 0, 128, 0, 0, 0};
    a[40] = 0x60; /* exclude_kernel, exclude_hv */
    return (int)syscall(SYS_perf_event_open, a, 0, -1, -1, 0);
}
static int file_handle(void) {
    struct { unsigned bytes; int type; char h[128]; } h = {128, 0, ""};
    int mount;
    return (int)syscall(SYS_name_to_handle_at, AT_FDCWD, "/", &h, &mount, 0);
}
static int fanotify(void) { return (int)syscall(SYS_fanotify_init, 0x200, 0); }
static int splice_memory(void) {
    int p[2];
    struct iovec v = {"x", 1};
    return pipe(p) ? -1 : (int)vmsplice(p[1], &v, 1, 0);
}
/* One name, and a small queue: a layer that lets it be made may keep it from being unlinked. */
static int message_queue(void) {
    struct { long flags, most, bytes, now, reserved[4]; } small = {.most = 1, .bytes = 1};
    int queue = (int)syscall(SYS_mq_open, "brine-probe", O_RDWR | O_CREAT, 0600, &small);
    int error = errno;
    if (queue >= 0) syscall(SYS_mq_unlink, "brine-probe");
    errno = error;
    return queue;
}
static int new_rules(void) { return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1); }
#if defined(__x86_64__)
static int old_call(void) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    return result == getpid() ? 0 : -1;
}
static int descriptor_table(void) { char b[8]; return (int)syscall(SYS_modify_ldt, 0, b, 0); }
#endif

/* Limits. */
static int much_memory(void) {
    char *p = mmap(NULL, 1ul << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -1 : 0;
}
static int locked_memory(void) { static char b[1 << 16]; return mlock(b, sizeof b); }
static int large_file(void) {
    signal(SIGXFSZ, SIG_IGN);
    int fd = open("large", O_WRONLY | O_CREAT, 0600);
    return ftruncate(fd, 8 << 20);
}
static int many_files(void) {
    int last = 0;
    for (int i = 0; i < 200 && last >= 0; i++) last = dup(0);
    return last;
}
static int many_processes(void) {
    for (int i = 0; i < 100; i++) {
        pid_t child = fork();
        if (child < 0) { int e = errno; kill(0, SIGCONT); errno = e; return -1; }
        if (child == 0) { sleep(2); _exit(0); }
    }
    return 0;
}
static int much_scratch(void) {
    static char block[1 << 16];
    char name[16];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "s%d", i);
        int fd = open(name, O_WRONLY | O_CREAT, 0600);
        for (int j = 0; j < 8; j++)
            if (write(fd, block, sizeof block) != sizeof block) return -1;
    }
    return 0;
}
/* Less than the limit in each place, and more in all. */
static int much_scratch_in_all(void) {
    static char block[7 << 16];
    const char *places[] = {".", "/tmp", "/dev/shm"};
    int fds[3], done = 0;
    for (int i = 0; i < 3; i++) {
        arg = places[i];
        fds[i] = open(in("brine-probe-much"), O_WRONLY | O_CREAT, 0600);
        if (fds[i] < 0 || write(fds[i], block, sizeof block) != sizeof block) done = -1;
    }
    int error = errno;
    for (int i = 0; i < 3; i++) { arg = places[i]; unlink(in("brine-probe-much")); }
    errno = error;
    return done;
}
static int many_scratch_files(void) {
    char name[16];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "f%d", i);
        int fd = open(name, O_WRONLY | O_CREAT, 0600);
        if (fd < 0) return -1;
        close(fd);
    }
    return 0;
}
static int core_file(void) {
    struct rlimit limit;
    errno = EPERM;
    return getrlimit(RLIMIT_CORE, &limit) || limit.rlim_max <= 1 ? -1 : 0;
}

/* Privileges. */
static int may_gain(void) { errno = EPERM; return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) ? -1 : 0; }
static int bounding_set(void) { errno = EPERM; return prctl(PR_CAPBSET_READ, 21) == 1 ? 0 : -1; }

/* Calls that end the process, by their number. The arguments are such that nothing comes of them. */
static int call(void) {
    long n = atol(arg);
    syscall(n, -1L, -1L, -1L, -1L, -1L, -1L);
    return 0;
}
static int terminal_input(void) { char c = 'x'; ioctl(0, TIOCSTI, &c); return 0; }
static int terminal_input_upper(void) {
    char c = 'x';
    syscall(SYS_ioctl, 0, 0xffffffff00000000ul | TIOCSTI, &c);
    return 0;
}
static int new_mounts(void) { unshare(CLONE_NEWNS); return 0; }

/* What no job has, whatever is waived. */
static int descriptors(void) {
    errno = EBADF;
    for (int fd = 3; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0) { printf("%d\n", fd); return 0; }
    return -1;
}
static int terminal(void) { return opens("/dev/tty", O_RDWR); }
static int writes_stdin(void) { return write(0, "x", 1) == 1 ? 0 : -1; }
static int reopens_stdin(void) { return opens("/proc/self/fd/0", O_RDWR); }
static int reopens_dev_stdin(void) { return opens("/dev/stdin", O_RDWR); }
static int kill_all(void) { return kill(-1, SIGKILL); }
static int kill_one(void) { kill(1, SIGKILL); kill(1, SIGTERM); kill(1, SIGSTOP); usleep(20000); return -1; }
/* What decides when and where process 1 runs, and what its limits are; and what signals it. */
static int acts_on_one(void) {
    struct sched_param none = {0};
    struct rlimit limit = {0, RLIM_INFINITY};
    unsigned attributes[12] = {48, SCHED_BATCH};
    int done = -1;
    cpu_set_t all;
    sched_getaffinity(0, sizeof all, &all);
#define TRY(what) if ((long)(what) >= 0) { puts(#what); done = 0; }
    TRY(sched_setaffinity(1, sizeof all, &all))
    TRY(sched_setscheduler(1, SCHED_BATCH, &none))
    TRY(sched_setparam(1, &none))
    TRY(syscall(SYS_sched_setattr, 1, attributes, 0))
    TRY(setpriority(PRIO_PROCESS, 1, 19))
    TRY(setpriority(PRIO_USER, 0, 19))
    TRY(syscall(SYS_setpriority, 0xffffffff00000000ul | PRIO_PROCESS, 0xffffffff00000001ul, 19))
    TRY(syscall(SYS_ioprio_set, 1, 1, 3 << 13))
    TRY(syscall(SYS_ioprio_set, 3, getuid(), 3 << 13))
    TRY(prlimit(1, RLIMIT_NOFILE, &limit, NULL))
    TRY(prlimit(1, RLIMIT_NOFILE, NULL, &limit))
    TRY(kill(1, SIGCHLD))
    TRY(syscall(SYS_tgkill, 1, 1, SIGCHLD))
    TRY(syscall(SYS_tkill, 1, SIGCHLD))
    TRY(syscall(SYS_pidfd_open, 1, 0))
    return done;
}
/* What programs do to themselves, by either of their names. */
static int acts_on_itself(void) {
    struct sched_param none = {0};
    struct rlimit limit;
    cpu_set_t set;
    for (int i = 0; i < 2; i++) {
        pid_t self = i ? getpid() : 0;
        if (sched_getaffinity(self, sizeof set, &set) || sched_setaffinity(self, sizeof set, &set)) return -1;
        if (prlimit(self, RLIMIT_NOFILE, NULL, &limit) || prlimit(self, RLIMIT_NOFILE, &limit, NULL)) return -1;
        if (setpriority(PRIO_PROCESS, self, 19) || sched_setscheduler(self, SCHED_BATCH, &none)) return -1;
        if (syscall(SYS_ioprio_set, 1, self, 2 << 13 | 4) || kill(getpid(), SIGCONT)) return -1;
    }
    return 0;
}
static int trace_one(void) { return (int)ptrace(PTRACE_SEIZE, 1, 0, 0); }

#define P(name) {#name, name}
static const struct { const char *name; int (*try)(void); } probes[] = {
    P(file_read), P(file_create), P(file_write), P(file_truncate), P(file_by_link), P(file_by_hard_link),
    P(file_by_dots), P(file_by_proc), P(file_rename), P(file_unlink), P(file_mkdir), P(file_fifo),
    P(file_symlink), P(file_list), P(file_stat), P(file_chmod), P(file_xattr), P(file_utime), P(file_chdir),
    P(file_watch), P(file_set_id), P(file_set_id_at), P(file_set_id_open), P(file_set_id_made), P(file_lease),
    P(file_notify), P(file_statfs), P(shared_memory_file), P(device_ptmx), P(device_mem_list), P(bind_path),
    P(host_users), P(much_scratch_in_all),
    P(exec_outside), P(exec_written), P(exec_written_in), P(exec_by_loader), P(exec_memory), P(map_written), P(set_user_id),
    P(process_signal), P(process_trace), P(process_read), P(process_environment), P(process_memory),
    P(process_command), P(process_descriptor), P(process_priority), P(process_affinity), P(process_limit),
    P(process_schedule), P(process_io_priority), P(user_io_priority), P(file_whiteout),
    P(process_compare), P(process_session), P(ipc_memory), P(ipc_queue), P(ipc_new_memory), P(host_name),
    P(tcp_connect), P(mptcp_connect), P(tcp_listen), P(tcp_listen_unbound), P(tcp_fast_open),
    P(tcp_fast_open_message), P(udp_send), P(unix_connect), P(unix_abstract), P(unix_by_pair), P(netlink),
    P(local_socket), P(new_user), P(new_user_clone), P(new_user_clone_upper), P(clone_three), P(io_uring),
    P(keyring), P(session_keyring), P(add_key), P(user_fault), P(no_randomisation), P(performance), P(file_handle), P(fanotify),
    P(splice_memory), P(message_queue), P(new_rules), P(much_memory), P(locked_memory), P(large_file),
    P(many_files), P(many_processes), P(much_scratch), P(many_scratch_files), P(core_file), P(may_gain),
    P(bounding_set), P(call), P(terminal_input), P(terminal_input_upper), P(new_mounts), P(descriptors),
    P(terminal), P(writes_stdin), P(reopens_stdin), P(reopens_dev_stdin), P(kill_all), P(kill_one),
    P(trace_one), P(acts_on_one), P(acts_on_itself),
#if defined(__x86_64__)
    P(old_call), P(descriptor_table),
#endif
};

int main(int argc, char **argv) {
    arg = argc > 2 ? argv[2] : "";
    if (argc > 1 && strcmp(argv[1], "am-i-root") == 0) return am_i_root() ? 1 : 0;
    for (size_t i = 0; argc > 1 && i < sizeof probes / sizeof *probes; i++) {
        if (strcmp(argv[1], probes[i].name) == 0) {
            errno = 0;
            if (probes[i].try() >= 0) return 0;
            fprintf(stderr, "%s\n", strerror(errno));
            return 1;
        }
    }
    return 2;
}
