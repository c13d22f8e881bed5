/*
 * Measures a network path by TCP, and a name server by UDP.
 *
 *   load serve PORT              answers the other two until it is killed
 *   load bulk ADDRESS PORT MS    bytes a second that arrive there
 *   load turns ADDRESS PORT N    microseconds for one byte there and back
 *   load ask ADDRESS NAME N      microseconds for one answer to a question for a name's address
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buffer[128 << 10];

static void fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct sockaddr_in address(const char *ip, int port)
{
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	if (inet_pton(AF_INET, ip, &there.sin_addr) != 1)
		fail(ip);
	return there;
}

/* The first byte says what the rest is: 'b' for bytes to count, 't' for turns to answer. */
static void answer(int client)
{
	int one = 1;
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	char kind;
	if (read(client, &kind, 1) != 1)
		return;
	uint64_t total = 0;
	ssize_t got;
	while ((got = read(client, buffer, sizeof buffer)) > 0) {
		total += (uint64_t)got;
		if (kind == 't' && write(client, buffer, (size_t)got) != got)
			return;
	}
	if (kind == 'b' && write(client, &total, sizeof total) != sizeof total)
		return;
}

static void serve(int port)
{
	int one = 1;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in here = address("0.0.0.0", port);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0 || listen(listener, 16) < 0)
		fail("listen");
	puts("ready");
	fflush(stdout);
	for (;;) {
		int client = accept(listener, NULL, NULL);
		if (client < 0)
			continue;
		answer(client);
		close(client);
	}
}

static int reach(const char *ip, int port, char kind)
{
	int one = 1;
	int server = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in there = address(ip, port);
	if (connect(server, (struct sockaddr *)&there, sizeof there) < 0)
		fail("connect");
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (write(server, &kind, 1) != 1)
		fail("write");
	return server;
}

static double bulk(const char *ip, int port, double seconds)
{
	int server = reach(ip, port, 'b');
	double began = now();
	while (now() - began < seconds)
		if (write(server, buffer, sizeof buffer) < 0)
			fail("write");
	shutdown(server, SHUT_WR);
	uint64_t total;
	if (recv(server, &total, sizeof total, MSG_WAITALL) != sizeof total)
		fail("read");
	return (double)total / (now() - began);
}

static double turns(const char *ip, int port, int count)
{
	int server = reach(ip, port, 't');
	double began = now();
	for (int turn = 0; turn < count; turn++)
		if (write(server, buffer, 1) != 1 || read(server, buffer, 1) != 1)
			fail("turn");
	return (now() - began) * 1e6 / count;
}

/* RFC 1035, 4.1: a header, the labels of the name, type A, class IN. */
static size_t question(unsigned char *message, const char *name)
{
	static const unsigned char head[12] = { 0x12, 0x34, 1, 0, 0, 1 };
	memcpy(message, head, sizeof head);
	size_t at = sizeof head;
	while (*name) {
		size_t length = strcspn(name, ".");
		message[at++] = (unsigned char)length;
		memcpy(message + at, name, length);
		at += length;
		name += length + (name[length] == '.');
	}
	memcpy(message + at, "\0\0\1\0\1", 5);
	return at + 5;
}

static double ask(const char *ip, const char *name, int count)
{
	unsigned char message[512], reply[512];
	size_t size = question(message, name);
	int server = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in there = address(ip, 53);
	struct timeval patience = { .tv_sec = 2 };
	setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(server, (struct sockaddr *)&there, sizeof there) < 0)
		fail("connect");
	double began = now();
	for (int turn = 0; turn < count; turn++) {
		if (send(server, message, size, 0) < 0)
			fail("send");
		if (recv(server, reply, sizeof reply, 0) < 12)
			fail("answer");
		if (reply[7] == 0) {
			fprintf(stderr, "load: no address of %s\n", name);
			exit(1);
		}
	}
	return (now() - began) * 1e6 / count;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(atoi(argv[2]));
	else if (argc == 5 && !strcmp(argv[1], "bulk"))
		printf("%.0f\n", bulk(argv[2], atoi(argv[3]), atof(argv[4]) / 1000));
	else if (argc == 5 && !strcmp(argv[1], "turns"))
		printf("%.2f\n", turns(argv[2], atoi(argv[3]), atoi(argv[4])));
	else if (argc == 5 && !strcmp(argv[1], "ask"))
		printf("%.2f\n", ask(argv[2], argv[3], atoi(argv[4])));
	else
		return 2;
	return 0;
}
