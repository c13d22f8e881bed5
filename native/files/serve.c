/* Does work for whoever connects, each piece in a process of its own, forked from this small one: to
 * start a program costs a large caller much more.
 *
 * A connection begins with the number of bytes (32 bits, little-endian) of the arguments that follow, each
 * with a zero byte at its end. Then the archive for `put`, until the caller shuts its side. What comes back
 * are frames: a letter, the number of bytes (as above), the bytes. R: of the report; A: of the archive;
 * E: nothing, the work is done. Without E it ended otherwise. */
#include "files.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTION 0 /* where `put` reads its archive too */
#define MAX_ARGUMENT_BYTES (4u << 20)

bool serving;

static void send_all(const void *data, size_t size)
{
	const char *at = data;
	while (size > 0) {
		ssize_t n = write(CONNECTION, at, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			_exit(1); /* nobody is left to be told */
		at += n;
		size -= (size_t)n;
	}
}

void frame_header(unsigned char header[FRAME_HEADER], char kind, uint32_t size)
{
	header[0] = (unsigned char)kind;
	for (int i = 0; i < 4; i++)
		header[1 + i] = (unsigned char)(size >> (8 * i));
}

void send_frame(unsigned char *frame, char kind, size_t size)
{
	frame_header(frame, kind, (uint32_t)size);
	send_all(frame, FRAME_HEADER + size);
}

static ssize_t write_report(void *cookie, const char *data, size_t size)
{
	unsigned char header[FRAME_HEADER];
	(void)cookie;
	frame_header(header, 'R', (uint32_t)size);
	send_all(header, sizeof header);
	send_all(data, size);
	return (ssize_t)size;
}

static void receive(void *data, size_t size)
{
	char *at = data;
	while (size > 0) {
		ssize_t n = read(CONNECTION, at, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		at += n;
		size -= (size_t)n;
	}
}

static char **receive_arguments(void)
{
	unsigned char header[4];
	receive(header, sizeof header);
	uint32_t size = header[0] | (uint32_t)header[1] << 8 | (uint32_t)header[2] << 16 | (uint32_t)header[3] << 24;
	if (size == 0 || size > MAX_ARGUMENT_BYTES)
		fail("too many arguments");
	char *text = must_alloc(size);
	receive(text, size);
	if (text[size - 1] != 0)
		fail("an argument without an end");
	size_t count = 0;
	for (uint32_t i = 0; i < size; i++)
		count += text[i] == 0;
	char **arguments = must_alloc((count + 1) * sizeof *arguments);
	for (size_t i = 0; i < count; i++) {
		arguments[i] = text;
		text += strlen(text) + 1;
	}
	arguments[count] = NULL;
	return arguments;
}

/* To close with input unread would break the caller's connection before it has read why. It ends its
 * side when it has. */
static void hear_out(void)
{
	static char ignored[1 << 16];
	for (;;) {
		ssize_t n = read(CONNECTION, ignored, sizeof ignored);
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
	}
}

static _Noreturn void serve_one(int connection, pid_t server)
{
	signal(SIGCHLD, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != server)
		_exit(1);
	serving = true;
	if (dup2(connection, CONNECTION) < 0)
		_exit(1);
	stdout = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_report });
	if (!stdout)
		_exit(1);
	after_failure = hear_out;
	work(receive_arguments());
	fflush(stdout);
	unsigned char end[FRAME_HEADER];
	send_frame(end, 'E', 0);
	_exit(0);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof address.sun_path)
		errno = ENAMETOOLONG, fail_errno(path);
	strcpy(address.sun_path, path);
	/* Of a server that was killed. */
	if (unlink(path) != 0 && errno != ENOENT)
		fail_errno(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	umask(0177);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0)
		fail_errno(path);
	umask(0);
	return fd;
}

void serve(const char *path)
{
	int listener = listen_at(path);
	pid_t self = getpid();
	/* Children are not waited for. */
	signal(SIGCHLD, SIG_IGN);
	puts("{\"listening\":true}");
	fflush(stdout);
	for (;;) {
		int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (connection < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			fail_errno("accept");
		}
		if (fork() == 0) {
			close(listener);
			serve_one(connection, self);
		}
		/* When there can be no process the caller sees the connection end. */
		close(connection);
	}
}
