"""What else is on the machine of a job, of the same user: a process with a secret, listeners of all sorts,
shared memory. Says where, as JSON, and stays until its standard input ends."""
import ctypes, http.server, json, os, socket, sys, threading

directory = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)

tcp = socket.socket()
tcp.bind(("127.0.0.1", 0))
tcp.listen(64)
other = socket.socket()
other.bind(("127.0.0.1", 0))
other.listen(64)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
unix = socket.socket(socket.AF_UNIX)
unix.bind(directory + "/socket")
unix.listen(64)
datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
datagrams.bind(directory + "/datagrams")
abstract = socket.socket(socket.AF_UNIX)
name = f"brine-neighbour-{os.getpid()}"
abstract.bind("\0" + name)
abstract.listen(64)
for end in ("socket", "datagrams"):
    os.chmod(f"{directory}/{end}", 0o777)

shared = f"brine-neighbour-{os.getpid()}"
with open(f"/dev/shm/{shared}", "w") as file:
    os.chmod(file.fileno(), 0o644)

key = os.getpid() + 1
memory = libc.shmget(key, 4096, 0o1666)
queue = libc.msgget(key, 0o1666)
assert memory >= 0 and queue >= 0


class Metadata(http.server.BaseHTTPRequestHandler):
    """What clouds offer at a link-local address: credentials, to whoever asks."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"credentials")

    def log_message(self, *_):
        pass


metadata = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
threading.Thread(target=metadata.serve_forever, daemon=True).start()


def drain(listener):
    while True:
        listener.accept()[0].close()


for listener in (tcp, other, unix, abstract):
    threading.Thread(target=drain, args=(listener,), daemon=True).start()

print(json.dumps({
    "pid": os.getpid(),
    "tcp": tcp.getsockname()[1],
    "other": other.getsockname()[1],
    "udp": udp.getsockname()[1],
    "metadata": metadata.server_port,
    "abstract": name,
    "key": key,
    "memory": shared,
    "host": socket.gethostname(),
}), flush=True)
sys.stdin.read()
os.unlink(f"/dev/shm/{shared}")
libc.shmctl(memory, 0, None)
libc.msgctl(queue, 0, None)
os._exit(0)
