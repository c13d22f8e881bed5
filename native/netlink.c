// Sends netlink messages, which the daemon builds, and checks each one's answer.
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h"
#include "ops.h"
#include "paths.h"

enum { ANSWER_MAX = 64 << 10 };

// Reads until the acknowledgement (or the end of a dump) of message `seq`; other payload goes to the caller.
static int await_answer(struct run *run, int fd, uint32_t seq) {
  static union {
    struct nlmsghdr header;
    char bytes[ANSWER_MAX];
  } answer;
  while (true) {
    ssize_t got = recv(fd, answer.bytes, sizeof answer.bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    size_t left = (size_t)got;
    for (struct nlmsghdr *m = &answer.header; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
      if (m->nlmsg_seq != seq) continue;
      if (m->nlmsg_type == NLMSG_DONE) return 0;
      if (m->nlmsg_type == NLMSG_ERROR) {
        if (m->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) return errno = EPROTO, -1;
        int error = -((struct nlmsgerr *)NLMSG_DATA(m))->error;
        return error ? (errno = error, -1) : 0;
      }
      run_output(run, m, m->nlmsg_len);
    }
  }
}

// The kernel makes every close of a netfilter socket wait, with its transactions locked, until what earlier
// transactions removed is out of use: milliseconds each. So the launcher keeps one open, and the processes
// it forks take turns with it.
static struct {
  int fd, lock;
} kept = {-1, -1};

void netlink_keep(void) {
  kept.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  kept.lock = memfd_create("netlink", MFD_CLOEXEC);
}

// fcntl(2) locks are a process's own and go with it.
static int lock(short type) {
  struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
  int rc;
  do rc = fcntl(kept.lock, F_SETLKW, &whole);
  while (rc < 0 && errno == EINTR);
  return rc;
}

// The socket for a family, `own` when it is to be closed; -1 with errno.
static int take_socket(int family, bool *own) {
  *own = family != NETLINK_NETFILTER || kept.fd < 0 || lock(F_WRLCK) < 0;
  int fd = *own ? socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family) : kept.fd;
  if (fd < 0) return -1;
  struct timeval limit = {5, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  // Answers to somebody who was killed before they came.
  char stale[4096];
  while (!*own && recv(fd, stale, sizeof stale, MSG_DONTWAIT) >= 0) continue;
  return fd;
}

static long give_socket_back(int fd, bool own, long rc) {
  if (own) return close_keep(rc, fd);
  int saved = errno;
  lock(F_UNLCK);
  errno = saved;
  return rc;
}

long op_netlink(struct run *run, const union arg *a) {
  bool own;
  int fd = take_socket((int)a[0].i, &own);
  if (fd < 0) return -1;
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  char *messages = malloc(a[3].s.size + 1), *at = messages;
  size_t left = a[3].s.size;
  if (!messages) return give_socket_back(fd, own, -1);
  memcpy(messages, a[3].s.data, left);
  if (a[1].fd >= 0 && a[2].i >= 0 && (size_t)a[2].i + sizeof(int) <= left)
    memcpy(messages + a[2].i, &a[1].fd, sizeof(int));
  int rc = 0;
  // All messages in one send, as nf_tables batches want; one answer for each that asks for it.
  if (sendto(fd, at, left, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) rc = -1;
  while (rc == 0 && left >= sizeof(struct nlmsghdr)) {
    struct nlmsghdr m;
    memcpy(&m, at, sizeof m);
    size_t step = NLMSG_ALIGN(m.nlmsg_len);
    if (m.nlmsg_len < sizeof m || step > left) {
      errno = EINVAL;
      rc = -1;
      break;
    }
    if (m.nlmsg_flags & (NLM_F_ACK | NLM_F_DUMP)) rc = await_answer(run, fd, m.nlmsg_seq);
    at += step;
    left -= step;
  }
  free(messages);
  return give_socket_back(fd, own, rc);
}
