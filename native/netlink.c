// Sends netlink messages, which the daemon builds, and checks each one's answer.
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

long op_netlink(struct run *run, const union arg *a) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, (int)a[0].i);
  if (fd < 0) return -1;
  struct timeval limit = {5, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  char *messages = malloc(a[3].s.size + 1), *at = messages;
  size_t left = a[3].s.size;
  if (!messages) return -1;
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
  return close_keep(rc, fd);
}
