/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/rdns-channel.h"

/*
 * ares_query() and ares_getsock() are marked so since 1.28; their successors do not exist in 1.18.
 */
#define CARES_NO_DEPRECATED
#include <ares.h>

#include <netinet/tcp.h>
#include <sys/uio.h>

#include "enrich/rdns-answer.h"

/*
 * Room for the answers to 256 questions that come at once; the kernel takes less where
 * net.core.rmem_max says so.
 */
#define SOCKET_BUFFER_SIZE (1 << 20)

/* What is read in one call of the owner, at most; the rest keeps the descriptor readable. */
#define DATAGRAMS_MAX 1024

/*
 * Without EDNS servers send at most 512 bytes over UDP (RFC 1035, 4.2.1); those that send more
 * shall not lose by it.
 */
#define DATAGRAM_SIZE_MAX 4096

typedef struct Datagram {
	size_t len;
	uint8_t data[];
} Datagram;

struct RdnsChannel {
	ares_channel ares;
	RdnsServers servers;
	bool tcp;
	const RdnsCallbacks *callbacks;
	/* Of the dispatch that runs: what c-ares has seen the header and question of. */
	Datagram *inbox[DATAGRAMS_MAX];
	size_t inbox_count, read_count;
};

/*
 * Sockets: c-ares lets its user bring the calls
 */

static ares_socket_t socket_open(int family, int type, int protocol, void *userdata)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	const int size = SOCKET_BUFFER_SIZE, on = 1;

	if (fd < 0)
		return ARES_SOCKET_BAD;
	/* What these are for works without them, if not as well. */
	if (type == SOCK_STREAM) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	} else {
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	}
	return fd;
}

static int socket_close(ares_socket_t fd, void *userdata)
{
	return close(fd);
}

static int socket_connect(
	ares_socket_t fd, const struct sockaddr *addr, ares_socklen_t len, void *userdata)
{
	const RdnsChannel *channel = userdata;
	struct sockaddr_in6 v6;

	if (addr->sa_family != AF_INET6 || len != sizeof(v6))
		return connect(fd, addr, len);
	/* c-ares 1.18 has no place for the scope of a link-local address. */
	memcpy(&v6, addr, sizeof(v6));
	for (size_t i = 0; i < channel->servers.count; i++) {
		const RdnsServer *server = &channel->servers.list[i];

		if (server->addr.family == IP_V6 && !memcmp(server->addr.bytes, &v6.sin6_addr, 16))
			v6.sin6_scope_id = server->scope;
	}
	return connect(fd, (const struct sockaddr *)&v6, sizeof(v6));
}

static ares_ssize_t socket_receive(ares_socket_t fd, void *data, size_t size, int flags,
	struct sockaddr *from, ares_socklen_t *from_len, void *userdata)
{
	RdnsChannel *channel = userdata;
	uint8_t message[DATAGRAM_SIZE_MAX], stripped[RDNS_STRIPPED_MAX];

	if (channel->tcp)
		return recvfrom(fd, data, size, flags, from, from_len);
	while (channel->read_count < DATAGRAMS_MAX) {
		ssize_t n = recvfrom(fd, message, sizeof(message), flags, from, from_len);
		Datagram *datagram;
		size_t len;

		if (n < 0)
			return n;
		channel->read_count++;
		len = rdns_answer_strip(message, (size_t)n, stripped);
		if (!len || len > size)
			continue;
		datagram = malloc(sizeof(*datagram) + (size_t)n);
		if (!datagram)
			continue; /* as if it were lost on the way */
		datagram->len = (size_t)n;
		memcpy(datagram->data, message, (size_t)n);
		channel->inbox[channel->inbox_count++] = datagram;
		memcpy(data, stripped, len);
		return (ares_ssize_t)len;
	}
	errno = EAGAIN;
	return -1;
}

static void inbox_empty(RdnsChannel *channel)
{
	while (channel->inbox_count)
		free(channel->inbox[--channel->inbox_count]);
	channel->read_count = 0;
}

/* The datagram of which c-ares has seen the beginning, just now. */
static const Datagram *inbox_find(const RdnsChannel *channel, const IpAddr *addr, const uint8_t *id)
{
	for (size_t i = channel->inbox_count; i-- > 0;) {
		const Datagram *datagram = channel->inbox[i];

		if (!memcmp(datagram->data, id, 2) &&
			rdns_answer_is_for(addr, datagram->data, datagram->len))
			return datagram;
	}
	return NULL;
}

/*
 * One query at a time: over UDP there is only one, and over TCP the rest follows when there is room
 * again.
 */
static ares_ssize_t socket_send(
	ares_socket_t fd, const struct iovec *iov, int count, void *userdata)
{
	const RdnsChannel *channel = userdata;
	ares_ssize_t n = send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);

	if (channel->tcp)
		return n;
	/*
	 * A connected UDP socket says at the next call that an earlier datagram was refused, and
	 * sends nothing (udp(7)). c-ares would end this query, and the one that was refused would
	 * wait for its timeout. Once this one is sent, its own refusal makes the socket readable,
	 * and then c-ares ends them all.
	 */
	for (int i = 0; n < 0 && errno == ECONNREFUSED && i < 8; i++)
		n = send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
	/*
	 * No room to send it is as if it were lost on the way: c-ares would take it for the
	 * server's fault.
	 */
	if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
		return (ares_ssize_t)iov->iov_len;
	return n;
}

static const struct ares_socket_functions socket_functions = {
	.asocket = socket_open,
	.aclose = socket_close,
	.aconnect = socket_connect,
	.arecvfrom = socket_receive,
	.asendv = socket_send,
};

/*
 * The channel
 */

static void watch(void *userdata, ares_socket_t fd, int readable, int writable)
{
	const RdnsChannel *channel = userdata;

	channel->callbacks->watch(channel->callbacks->userdata, fd,
		(readable ? RDNS_READ : 0) | (writable ? RDNS_WRITE : 0));
}

static int errno_from_ares(int status)
{
	switch (status) {
	case ARES_SUCCESS: return 0;
	case ARES_ENOMEM: return -ENOMEM;
	default: return -EIO;
	}
}

static int set_servers(ares_channel ares, const RdnsServers *servers)
{
	struct ares_addr_port_node nodes[RDNS_SERVERS_MAX] = {0};

	for (size_t i = 0; i < servers->count; i++) {
		const RdnsServer *server = &servers->list[i];

		nodes[i].next = i + 1 < servers->count ? &nodes[i + 1] : NULL;
		nodes[i].udp_port = nodes[i].tcp_port = server->port;
		if (server->addr.family == IP_V4) {
			nodes[i].family = AF_INET;
			memcpy(&nodes[i].addr.addr4, server->addr.bytes, 4);
		} else {
			nodes[i].family = AF_INET6;
			memcpy(&nodes[i].addr.addr6, server->addr.bytes, 16);
		}
	}
	return errno_from_ares(ares_set_servers_ports(ares, nodes));
}

int rdns_channel_new(const RdnsChannelOptions *options, const RdnsCallbacks *callbacks,
	RdnsChannel **ret_channel)
{
	_cleanup_(rdns_channel_freep) RdnsChannel *channel = NULL;
	char lookups[] = "b";
	/*
	 * Everything that c-ares would otherwise take from resolv.conf, nsswitch.conf, RES_OPTIONS,
	 * LOCALDOMAIN and the host name is set: it then opens none of them.
	 */
	struct ares_options ares = {
		.flags = ARES_FLAG_STAYOPEN | (options->tcp ? ARES_FLAG_USEVC : ARES_FLAG_IGNTC),
		.timeout = (int)options->timeout_ms,
		.tries = (int)options->tries,
		.ndots = 1,
		.lookups = lookups,
		.sock_state_cb = watch,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
		   ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST |
		   ARES_OPT_NOROTATE | ARES_OPT_SOCK_STATE_CB;
	int r;

	/*
	 * With one server its SERVFAIL is the answer. With several c-ares shall go on to the next
	 * one, as libc does; when all fail it says ARES_ECONNREFUSED.
	 */
	if (options->servers->count == 1)
		ares.flags |= ARES_FLAG_NOCHECKRESP;
#ifdef ARES_OPT_QUERY_CACHE
	/* On by default since 1.31; the cache here has limits and a clock of its own. */
	mask |= ARES_OPT_QUERY_CACHE;
#endif

	/* Counted by c-ares itself; each channel holds one. */
	r = errno_from_ares(ares_library_init(ARES_LIB_INIT_ALL));
	if (r < 0)
		return r;
	channel = calloc(1, sizeof(*channel));
	if (!channel) {
		ares_library_cleanup();
		return -ENOMEM;
	}
	channel->callbacks = callbacks;
	channel->servers = *options->servers;
	channel->tcp = options->tcp;
	ares.sock_state_cb_data = channel;
	r = errno_from_ares(ares_init_options(&channel->ares, &ares, mask));
	if (r < 0) {
		channel->ares = NULL;
		return r;
	}
	ares_set_socket_functions(channel->ares, &socket_functions, channel);
	r = set_servers(channel->ares, &channel->servers);
	if (r < 0)
		return r;
	*ret_channel = TAKE(channel);
	return 0;
}

void rdns_channel_free(RdnsChannel *channel)
{
	if (!channel)
		return;
	ares_destroy(channel->ares); /* takes NULL */
	ares_library_cleanup();
	inbox_empty(channel);
	free(channel);
}

static void answered(void *userdata, int status, int timeouts, unsigned char *message, int len)
{
	RdnsAsk *ask = userdata;
	const Datagram *datagram =
		message && len >= 2 ? inbox_find(ask->channel, &ask->addr, message) : NULL;

	if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED)
		ask->reply(ask, RDNS_ASK_ENDED, NULL, 0);
	else if (datagram)
		ask->reply(ask, RDNS_ASK_ANSWERED, datagram->data, datagram->len);
	else if (message && len > 0)
		/* Whatever c-ares made of the message: an rcode above 5 is ARES_SUCCESS to it. */
		ask->reply(ask, RDNS_ASK_ANSWERED, message, (size_t)len);
	else if (status == ARES_ETIMEOUT)
		ask->reply(ask, RDNS_ASK_TIMED_OUT, NULL, 0);
	else if (status == ARES_ECONNREFUSED || status == ARES_ESERVFAIL ||
		 status == ARES_EREFUSED || status == ARES_ENOTIMP || status == ARES_EFORMERR)
		ask->reply(ask, RDNS_ASK_REFUSED, NULL, 0);
	else
		ask->reply(ask, RDNS_ASK_BROKEN, NULL, 0);
}

void rdns_channel_ask(RdnsChannel *channel, RdnsAsk *ask)
{
	char question[RDNS_QUESTION_MAX];

	ask->channel = channel;
	rdns_question(&ask->addr, question);
	ares_query(channel->ares, question, DNS_CLASS_IN, DNS_TYPE_PTR, answered, ask);
}

/* With socket calls that are not its own c-ares 1.34 reads one datagram at a time. */
static void process(RdnsChannel *channel, ares_socket_t read_fd, ares_socket_t write_fd)
{
	size_t before;

	do {
		before = channel->inbox_count;
		ares_process_fd(channel->ares, read_fd, write_fd);
	} while (channel->inbox_count > before);
}

void rdns_channel_dispatch(RdnsChannel *channel, int fd, unsigned events)
{
	ares_socket_t fds[ARES_GETSOCK_MAXNUM];
	unsigned mask;

	if (fd < 0) {
		/*
		 * After the owner was kept for long (a slow disk) answers wait in the sockets, and
		 * it may come to the timeouts first: what has arrived shall not be taken as lost.
		 */
		mask = (unsigned)ares_getsock(channel->ares, fds, ARES_GETSOCK_MAXNUM);
		for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++)
			if (ARES_GETSOCK_READABLE(mask, i))
				process(channel, fds[i], ARES_SOCKET_BAD);
	}
	process(channel, fd >= 0 && events & RDNS_READ ? fd : ARES_SOCKET_BAD,
		fd >= 0 && events & RDNS_WRITE ? fd : ARES_SOCKET_BAD);
	inbox_empty(channel);
}

int64_t rdns_channel_timeout(const RdnsChannel *channel)
{
	struct timeval tv, *left;

	left = ares_timeout(channel->ares, NULL, &tv);
	if (!left)
		return -1;
	/*
	 * It cuts off what is below a millisecond: without the 1 the owner would wake up early,
	 * many times.
	 */
	return (int64_t)left->tv_sec * 1000 + left->tv_usec / 1000 + 1;
}
