/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sink-gate.h"

#include "store/sink-server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* A message is its type, its length (which counts itself) and the rest; 'R' goes on with the kind of login. */
enum { HEAD = 5, LOGIN_HEAD = 9, LOGIN_PASSED = 0, LOGIN_CLEAR_TEXT = 3 };

static uint32_t number_at(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int inode_of(int fd, uint64_t *ret_inode)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_inode = st.st_ino;
	return 0;
}

bool sinkgate_guards(const SinkGate *gate, int fd)
{
	uint64_t inode = 0;

	return gate->ours >= 0 && inode_of(fd, &inode) == 0 && inode == gate->pair;
}

void sinkgate_done(SinkGate *gate)
{
	if (gate->server >= 0)
		(void)close(gate->server);
	if (gate->ours >= 0)
		(void)close(gate->ours);
	*gate = (SinkGate)SINK_GATE_INIT;
}

int sinkgate_close(SinkGate *gate, int fd)
{
	int pair[2], r;

	sinkgate_done(gate);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	gate->ours = pair[0];
	gate->server = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	r = gate->server < 0 ? -errno : inode_of(pair[1], &gate->pair);
	if (!r && dup3(pair[1], fd, O_CLOEXEC) < 0)
		r = -errno;
	(void)close(pair[1]);
	if (r)
		sinkgate_done(gate);
	return r;
}

static int pass(int fd, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		/* What is said at a login is far less than a socket holds. */
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? -ENOBUFS : -errno;
		if (n > 0)
			bytes += n, len -= (size_t)n;
	}
	return 0;
}

/* Of what libpq says everything goes through. */
static int pass_ours(const SinkGate *gate)
{
	uint8_t bytes[4096];
	ssize_t n = recv(gate->ours, bytes, sizeof(bytes), 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n ? pass(gate->server, bytes, (size_t)n) : -EPIPE;
}

/* The head of a message is whole: may it pass? */
static int judge(SinkGate *gate)
{
	uint32_t len = number_at(gate->head + 1), login;

	if (*gate->head != 'R') {
		gate->rest = len > 4 ? len - 4 : 0;
		return 0;
	}
	if (len < 8)
		return -EPROTO;
	login = number_at(gate->head + HEAD);
	if (login == LOGIN_CLEAR_TEXT)
		return -EACCES;
	gate->passed = login == LOGIN_PASSED;
	gate->rest = len - 8;
	return 0;
}

static int pass_servers(SinkGate *gate)
{
	size_t head = gate->have && *gate->head == 'R' ? LOGIN_HEAD : HEAD;
	uint8_t bytes[4096];
	ssize_t n;
	int r;

	if (gate->rest)
		n = recv(gate->server, bytes, MIN(sizeof(bytes), gate->rest), 0);
	else
		n = recv(gate->server, gate->head + gate->have, head - gate->have, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		/* What there is of a message is of no use to anybody. */
		gate->ended = true;
		return shutdown(gate->ours, SHUT_WR) < 0 ? -errno : 0;
	}
	if (gate->rest) {
		gate->rest -= (uint64_t)n;
		return pass(gate->ours, bytes, (size_t)n);
	}
	gate->have += (size_t)n;
	if (gate->have < (*gate->head == 'R' ? LOGIN_HEAD : HEAD))
		return 0;
	r = judge(gate);
	if (!r)
		r = pass(gate->ours, gate->head, gate->have);
	gate->have = 0;
	return r;
}

int sinkgate_wait(SinkGate *gate, int fd, short events, uint64_t until_ms)
{
	for (;;) {
		/* Behind the one that lets us in nothing goes through. */
		bool deaf = gate->ended || (gate->passed && !gate->rest);
		struct pollfd fds[] = {
			{.fd = fd, .events = events},
			{.fd = gate->ours, .events = POLLIN},
			{.fd = deaf ? -1 : gate->server, .events = POLLIN},
		};
		uint64_t now = sink_now_ms();
		int r;

		if (now >= until_ms)
			return SINK_GATE_TIMED_OUT;
		r = poll(fds, ARRAY_SIZE(fds), (int)MIN(until_ms - now, (uint64_t)3600000));
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r <= 0)
			continue;
		if (fds[0].revents)
			return 0;
		r = fds[1].revents ? pass_ours(gate) : 0;
		if (!r && fds[2].revents)
			r = pass_servers(gate);
		if (r < 0)
			return r;
	}
}

int sinkgate_open(SinkGate *gate, int fd)
{
	int theirs, ours, r = 0;

	if (!gate->passed || gate->rest)
		return 0;
	if (ioctl(fd, FIONREAD, &theirs) < 0 || ioctl(gate->ours, FIONREAD, &ours) < 0)
		return -errno;
	if (theirs || ours)
		return 0;
	if (dup3(gate->server, fd, O_CLOEXEC) < 0)
		r = -errno;
	sinkgate_done(gate);
	return r;
}
