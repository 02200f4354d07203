"""Runs a command from which system calls are withheld, as by a container or an older kernel.

    withhold.py RULE ... -- COMMAND ARGUMENT ...

CALL=ERRNO answers a call with an error; CALL:N:VALUE=ERRNO only if its argument N has that value, CALL:N&BITS=ERRNO
only if that has any of these bits. landlock@VERSION answers the question for the version of Landlock.
"""
import array, ctypes, errno, fcntl, os, platform, re, select, socket, struct, sys

NUMBERS = {  # x86-64, AArch64
    "clone": (56, 220), "clone3": (435, 435), "close_range": (436, 436), "faccessat2": (439, 439),
    "fsopen": (430, 430), "landlock_create_ruleset": (444, 444), "memfd_create": (319, 279), "mount": (165, 40),
    "mount_setattr": (442, 442), "move_mount": (429, 429), "open_tree": (428, 428), "openat2": (437, 437),
    "perf_event_open": (298, 241), "personality": (135, 92), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "pipe2": (293, 59), "pivot_root": (155, 41), "prctl": (157, 167),
    "recvmsg": (47, 212),
    "seccomp": (317, 277), "sendto": (44, 206), "setns": (308, 268),
    "setsid": (112, 157), "socket": (41, 198), "socketpair": (53, 199),
    "umount2": (166, 39), "unshare": (272, 97),
}
HERE = {"x86_64": 0, "aarch64": 1}[platform.machine()]
LOAD, JUMP_IF_EQUAL, JUMP_IF_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, REFUSE, ASK = 0x7FFF0000, 0x00050000, 0x7FC00000
# linux/seccomp.h
SET_FILTER, NEW_LISTENER, CONTINUE, RECEIVE, SEND = 1, 8, 1, 0xC0502100, 0xC0182101
LANDLOCK_VERSION_FLAG = 1
libc = ctypes.CDLL(None, use_errno=True)


def rule(text):
    call, answer = text.split("=")
    name, index, test, value = re.fullmatch(r"(\w+)(?::(\d)([:&])(\w+))?", call).groups()
    answer = (RETURN, 0, 0, REFUSE | getattr(errno, answer))
    number = NUMBERS[name][HERE]
    if index is None:
        return [(JUMP_IF_EQUAL, 0, 1, number), answer]
    compare = JUMP_IF_EQUAL if test == ":" else JUMP_IF_ANY_BIT
    return [(JUMP_IF_EQUAL, 0, 4, number), (LOAD, 0, 0, 16 + 8 * int(index)), (compare, 0, 1, int(value, 0)), answer,
            (LOAD, 0, 0, 0)]


def checked(result):
    if result < 0:
        sys.exit(f"withhold.py: {os.strerror(ctypes.get_errno())}")
    return result


def set_filter(code, flags):
    code = [(LOAD, 0, 0, 0), *code, (RETURN, 0, 0, ALLOW)]
    memory = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(memory)))
    checked(libc.prctl(38, 1, 0, 0, 0))
    return checked(libc.syscall(NUMBERS["seccomp"][HERE], SET_FILTER, flags, program))


def answer_for_version(listener, version, child):
    """Answers the question for the version, and lets everything else about Landlock be done."""
    ended = os.pidfd_open(child)
    while True:
        ready = [one for one, _ in select_on(listener, ended)]
        if listener not in ready:
            return
        asked = bytearray(80)
        try:
            fcntl.ioctl(listener, RECEIVE, asked)
            identity, flags = struct.unpack_from("=Q", asked)[0], struct.unpack_from("=Q", asked, 48)[0]
            is_question = flags & LANDLOCK_VERSION_FLAG
            answer = struct.pack("=QqiI", identity, version if is_question else 0, 0, 0 if is_question else CONTINUE)
            fcntl.ioctl(listener, SEND, answer)
        except OSError:
            pass


def select_on(*descriptors):
    poll = select.poll()
    for one in descriptors:
        poll.register(one, select.POLLIN)
    return [(one, events) for one, events in poll.poll() if events & select.POLLIN]


def main():
    end = sys.argv.index("--")
    texts, command = sys.argv[1:end], sys.argv[end + 1:]
    versions = [int(text.split("@")[1]) for text in texts if text.startswith("landlock@")]
    code = sum((rule(text) for text in texts if "@" not in text), [])
    if not versions:
        set_filter(code, 0)
        os.execvp(command[0], command)
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ask = [(JUMP_IF_EQUAL, 0, 1, NUMBERS["landlock_create_ruleset"][HERE]), (RETURN, 0, 0, ASK)]
        listener = set_filter([*code, *ask], NEW_LISTENER)
        theirs.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])
        os.set_inheritable(listener, False)
        os.execvp(command[0], command)
    _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_LEN(4))
    answer_for_version(struct.unpack("=i", ancillary[0][2][:4])[0], versions[0], child)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


main()
