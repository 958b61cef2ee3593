/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns-server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "enrich/rdns-answer.h"

#define CONNECTIONS_MAX 16
#define QUESTIONS_MAX 4096
#define HEADER_SIZE 12

/*
 * Messages
 */

typedef struct Out {
	uint8_t *data;
	size_t len;
} Out;

static void put_bytes(Out *out, const void *data, size_t len)
{
	if (out->len + len > DNS_MESSAGE_MAX)
		return;
	memcpy(out->data + out->len, data, len);
	out->len += len;
}

static void put_u16(Out *out, unsigned value)
{
	put_bytes(out, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static void put_u32(Out *out, uint32_t value)
{
	put_u16(out, value >> 16);
	put_u16(out, value & 0xffff);
}

static void set_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned get_u16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void put_name(Out *out, const char *text)
{
	uint8_t label[256];
	size_t len = 0;

	if (!strcmp(text, "."))
		text = "";
	while (*text) {
		const char *p = text;

		if (*p == '.') {
			put_bytes(out, &(uint8_t){(uint8_t)len}, 1);
			put_bytes(out, label, len);
			len = 0;
			text++;
			continue;
		}
		if (*p == '\\' && p[1] >= '0' && p[1] <= '9') {
			label[len++] =
				(uint8_t)((p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0'));
			text += 4;
		} else {
			p += *p == '\\';
			label[len++] = (uint8_t)*p;
			text = p + 1;
		}
	}
	if (len) {
		put_bytes(out, &(uint8_t){(uint8_t)len}, 1);
		put_bytes(out, label, len);
	}
	put_bytes(out, "", 1);
}

static void put_record(Out *out, const DnsRecord *record)
{
	size_t length_at, length;

	if (record->owner)
		put_name(out, record->owner);
	else
		put_u16(out, 0xc000 | HEADER_SIZE);
	put_u16(out, record->type);
	put_u16(out, DNS_CLASS_IN);
	put_u32(out, record->ttl);
	length_at = out->len;
	put_u16(out, 0);
	if (record->name)
		put_name(out, record->name);
	else
		put_bytes(out, record->data, record->len);
	if (record->type == DNS_SOA) {
		put_name(out, "hostmaster.example");
		for (uint32_t i = 1; i <= 4; i++)
			put_u32(out, i);
		put_u32(out, record->minimum);
	}
	length = out->len - length_at - 2;
	if (out->len < DNS_MESSAGE_MAX)
		set_u16(out->data + length_at, (unsigned)((int)length + record->len_wrong));
}

size_t dns_query_write(const IpAddr *addr, uint16_t id, uint8_t query[DNS_MESSAGE_MAX])
{
	Out out = {query, 0};
	char name[RDNS_QUESTION_MAX];

	rdns_question(addr, name);
	put_u16(&out, id);
	put_u16(&out, 0x0100);
	put_u16(&out, 1);
	put_bytes(&out, "\0\0\0\0\0", 6);
	put_name(&out, name);
	put_u16(&out, DNS_PTR);
	put_u16(&out, DNS_CLASS_IN);
	return out.len;
}

/* Where the question ends; 0 when there is none that can be read. */
static size_t question_end(const uint8_t *query, size_t len)
{
	size_t at = HEADER_SIZE;

	while (at < len && query[at])
		at += query[at] + 1U;
	return at + 5 <= len ? at + 5 : 0;
}

size_t dns_rule_answer(const DnsRule *rule, const uint8_t *query, size_t query_len, bool over_tcp,
	uint8_t answer[DNS_MESSAGE_MAX])
{
	bool cut = rule->truncated && !over_tcp;
	Out out = {answer, 0};
	unsigned answers = 0, authority = 0;

	put_bytes(&out, query, question_end(query, query_len));
	answer[2] = 0x85 | (cut ? 2 : 0);
	answer[3] = (uint8_t)(0x80 | rule->rcode);
	set_u16(answer + 4, rule->no_question ? 0 : 1);
	if (rule->no_question)
		out.len = HEADER_SIZE;
	for (size_t i = 0; !cut && i < ARRAY_SIZE(rule->answers) && rule->answers[i].type; i++)
		for (unsigned n = 0; n <= (i ? 0 : rule->repeat); n++, answers++)
			put_record(&out, &rule->answers[i]);
	for (size_t i = 0; !cut && i < ARRAY_SIZE(rule->authority) && rule->authority[i].type; i++)
		put_record(&out, &rule->authority[i]), authority++;
	set_u16(answer + 6, answers + rule->count_wrong);
	set_u16(answer + 8, authority);
	set_u16(answer + 10, 0);
	return out.len;
}

/*
 * The server
 */

typedef struct Late {
	struct Late *next;
	uint64_t due_ms;
	int fd;
	struct sockaddr_storage to;
	socklen_t to_len; /* 0: TCP */
	size_t len;
	uint8_t message[];
} Late;

typedef struct Connection {
	int fd;
	size_t len;
	uint8_t buffer[2 + 512];
} Connection;

struct DnsServer {
	int udp, tcp, wake;
	char address[64];
	pthread_t thread;
	bool started;
	pthread_mutex_t mutex; /* over what follows, up to the thread's own */
	const DnsRule *rules;
	size_t rules_count;
	bool stop;
	size_t udp_count, tcp_count;
	char (*questions)[256];
	/* of the thread */
	Connection connections[CONNECTIONS_MAX];
	Late *late;
	uint32_t noise;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The question's name as text; what is no letter, digit, "-" or "_" is "?". */
static void question_text(const uint8_t *query, size_t len, char text[256])
{
	size_t at = HEADER_SIZE, out = 0;

	while (at < len && query[at] && at + query[at] < len && out + query[at] + 2U < 256) {
		if (out)
			text[out++] = '.';
		for (unsigned i = 1; i <= query[at]; i++) {
			char c = (char)query[at + i];

			text[out++] = (char)(c > ' ' && c <= '~' ? c : '?');
		}
		at += query[at] + 1U;
	}
	text[out] = '\0';
}

static const DnsRule *rule_find(const DnsServer *server, const char *question)
{
	for (size_t i = 0; i < server->rules_count; i++) {
		const DnsRule *rule = &server->rules[i];
		char name[RDNS_QUESTION_MAX];
		IpAddr addr;

		if (!rule->addr)
			return rule;
		if (ipaddr_parse(span_from_string(rule->addr), &addr) < 0)
			continue;
		rdns_question(&addr, name);
		if (!strcmp(name, question))
			return rule;
	}
	return NULL;
}

static void send_now(int fd, const void *message, size_t len, const struct sockaddr_storage *to,
	socklen_t to_len)
{
	uint8_t tcp[2 + DNS_MESSAGE_MAX];

	if (to_len) {
		(void)!sendto(fd, message, len, MSG_NOSIGNAL, (const struct sockaddr *)to, to_len);
		return;
	}
	set_u16(tcp, (unsigned)len);
	memcpy(tcp + 2, message, len);
	(void)!send(fd, tcp, len + 2, MSG_NOSIGNAL);
}

static void send_after(DnsServer *server, unsigned delay_ms, int fd, const void *message,
	size_t len, const struct sockaddr_storage *to, socklen_t to_len)
{
	Late *late, **place = &server->late;

	if (!delay_ms) {
		send_now(fd, message, len, to, to_len);
		return;
	}
	late = malloc(sizeof(*late) + len);
	if (!late)
		return;
	*late = (Late){.due_ms = now_ms() + delay_ms, .fd = fd, .to_len = to_len, .len = len};
	if (to_len)
		late->to = *to;
	memcpy(late->message, message, len);
	while (*place && (*place)->due_ms <= late->due_ms)
		place = &(*place)->next;
	late->next = *place;
	*place = late;
}

static void send_garbage(
	DnsServer *server, int fd, const struct sockaddr_storage *to, socklen_t to_len)
{
	uint8_t noise[200];

	for (size_t i = 0; i < sizeof(noise); i++) {
		server->noise = server->noise * 1664525 + 1013904223;
		noise[i] = (uint8_t)(server->noise >> 24);
	}
	if (to_len)
		send_now(fd, noise, 0, to, to_len);
	send_now(fd, noise, 5, to, to_len);
	send_now(fd, noise, sizeof(noise), to, to_len);
}

static void query_answer(DnsServer *server, const uint8_t *query, size_t len, int fd,
	const struct sockaddr_storage *to, socklen_t to_len)
{
	uint8_t answer[DNS_MESSAGE_MAX];
	const DnsRule *rule;
	size_t answer_len;
	char name[256];

	if (len < HEADER_SIZE || !question_end(query, len))
		return;
	question_text(query, len, name);
	pthread_mutex_lock(&server->mutex);
	if (server->udp_count + server->tcp_count < QUESTIONS_MAX)
		memcpy(server->questions[server->udp_count + server->tcp_count], name,
			sizeof(name));
	if (to_len)
		server->udp_count++;
	else
		server->tcp_count++;
	rule = rule_find(server, name);
	pthread_mutex_unlock(&server->mutex);
	if (!rule || rule->kind == DNS_DROP || (rule->tcp_drop && !to_len))
		return;
	answer_len = dns_rule_answer(rule, query, len, !to_len, answer);

	if (rule->kind == DNS_GARBAGE || rule->kind == DNS_NOISE_AND_ANSWER)
		send_garbage(server, fd, to, to_len);
	if (rule->kind == DNS_WRONG_ID || rule->kind == DNS_NOISE_AND_ANSWER) {
		answer[1] ^= 1;
		send_now(fd, answer, answer_len, to, to_len);
		answer[1] ^= 1;
	}
	if (rule->kind == DNS_WRONG_QUESTION || rule->kind == DNS_NOISE_AND_ANSWER) {
		answer[HEADER_SIZE + 1] ^= 1;
		send_now(fd, answer, answer_len, to, to_len);
		answer[HEADER_SIZE + 1] ^= 1;
	}
	if (rule->kind == DNS_ECHO)
		send_now(fd, query, len, to, to_len);
	if (rule->kind == DNS_ANSWER || rule->kind == DNS_NOISE_AND_ANSWER)
		send_after(server, rule->delay_ms, fd, answer, answer_len, to, to_len);
}

static void connection_close(DnsServer *server, Connection *connection)
{
	for (Late **place = &server->late, *late; (late = *place);)
		if (!late->to_len && late->fd == connection->fd) {
			*place = late->next;
			free(late);
		} else {
			place = &late->next;
		}
	(void)close(connection->fd);
	connection->fd = -1;
	connection->len = 0;
}

static void connection_read(DnsServer *server, Connection *connection)
{
	ssize_t n = recv(connection->fd, connection->buffer + connection->len,
		sizeof(connection->buffer) - connection->len, 0);

	if (n <= 0) {
		connection_close(server, connection);
		return;
	}
	connection->len += (size_t)n;
	while (connection->len >= 2) {
		size_t len = get_u16(connection->buffer);

		if (len > sizeof(connection->buffer) - 2) {
			connection_close(server, connection);
			return;
		}
		if (connection->len < len + 2)
			return;
		query_answer(server, connection->buffer + 2, len, connection->fd, NULL, 0);
		connection->len -= len + 2;
		memmove(connection->buffer, connection->buffer + len + 2, connection->len);
	}
}

static void udp_read(DnsServer *server)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t query[512];
	ssize_t n;

	n = recvfrom(server->udp, query, sizeof(query), 0, (struct sockaddr *)&from, &from_len);
	if (n > 0)
		query_answer(server, query, (size_t)n, server->udp, &from, from_len);
}

static int send_due(DnsServer *server)
{
	uint64_t now = now_ms();

	for (Late *late; (late = server->late) && late->due_ms <= now;) {
		server->late = late->next;
		send_now(late->fd, late->message, late->len, &late->to, late->to_len);
		free(late);
	}
	return server->late ? (int)(server->late->due_ms - now) : -1;
}

static void *serve(void *userdata)
{
	DnsServer *server = userdata;

	for (;;) {
		struct pollfd fds[3 + CONNECTIONS_MAX] = {
			{.fd = server->udp, .events = POLLIN},
			{.fd = server->tcp, .events = POLLIN},
			{.fd = server->wake, .events = POLLIN},
		};
		uint64_t count;
		bool stop;

		for (size_t i = 0; i < CONNECTIONS_MAX; i++)
			fds[3 + i] = (struct pollfd){server->connections[i].fd, POLLIN, 0};
		if (poll(fds, ARRAY_SIZE(fds), send_due(server)) < 0)
			continue;
		if (fds[2].revents)
			(void)!read(server->wake, &count, sizeof(count));
		pthread_mutex_lock(&server->mutex);
		stop = server->stop;
		pthread_mutex_unlock(&server->mutex);
		if (stop)
			return NULL;
		if (fds[0].revents)
			udp_read(server);
		for (size_t i = 0; i < CONNECTIONS_MAX; i++)
			if (fds[3 + i].revents)
				connection_read(server, &server->connections[i]);
		if (fds[1].revents) {
			int fd = accept4(server->tcp, NULL, NULL, SOCK_CLOEXEC);
			size_t i = 0;

			while (i < CONNECTIONS_MAX && server->connections[i].fd >= 0)
				i++;
			if (fd < 0) {
				/* Shut down; see dns_server_close_tcp. */
				(void)close(server->tcp);
				server->tcp = -1;
			} else if (i < CONNECTIONS_MAX) {
				server->connections[i].fd = fd;
			} else {
				(void)close(fd);
			}
		}
	}
}

/* Both sockets at one port: the kernel chooses it for UDP, and it may be taken for TCP. */
static int open_sockets(DnsServer *server, const char *host)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} addr = {0};
	bool v6 = strchr(host, ':');
	socklen_t len = v6 ? sizeof(addr.v6) : sizeof(addr.v4);
	int size = 1 << 20;
	_cleanup_close_ int udp = -1, tcp = -1;

	addr.any.sa_family = v6 ? AF_INET6 : AF_INET;
	if (inet_pton(addr.any.sa_family, host,
		    v6 ? (void *)&addr.v6.sin6_addr : (void *)&addr.v4.sin_addr) != 1)
		return -EINVAL;
	udp = socket(addr.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	tcp = socket(addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (udp < 0 || tcp < 0 || bind(udp, &addr.any, len) < 0 ||
		getsockname(udp, &addr.any, &len) < 0 || bind(tcp, &addr.any, len) < 0 ||
		listen(tcp, CONNECTIONS_MAX) < 0)
		return -errno;
	(void)setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)snprintf(server->address, sizeof(server->address), v6 ? "[%s]:%u" : "%s:%u", host,
		ntohs(v6 ? addr.v6.sin6_port : addr.v4.sin_port));
	server->udp = take_fd(&udp);
	server->tcp = take_fd(&tcp);
	return 0;
}

DnsServer *dns_server_new(const char *host, const DnsRule *rules, size_t rules_count)
{
	_cleanup_(dns_server_freep) DnsServer *server = NULL;
	int r = -EADDRINUSE;

	server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	server->udp = server->tcp = server->wake = -1;
	server->noise = 1;
	server->rules = rules;
	server->rules_count = rules_count;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		server->connections[i].fd = -1;
	(void)pthread_mutex_init(&server->mutex, NULL);
	server->questions = calloc(QUESTIONS_MAX, sizeof(*server->questions));
	server->wake = eventfd(0, EFD_CLOEXEC);
	if (!server->questions || server->wake < 0)
		return NULL;
	for (int i = 0; i < 100 && r == -EADDRINUSE; i++)
		r = open_sockets(server, host);
	if (r < 0) {
		errno = -r;
		return NULL;
	}
	if (pthread_create(&server->thread, NULL, serve, server))
		return NULL;
	server->started = true;
	return TAKE(server);
}

static void wake(DnsServer *server)
{
	(void)!write(server->wake, &(uint64_t){1}, sizeof(uint64_t));
}

void dns_server_free(DnsServer *server)
{
	if (!server)
		return;
	if (server->started) {
		pthread_mutex_lock(&server->mutex);
		server->stop = true;
		pthread_mutex_unlock(&server->mutex);
		wake(server);
		(void)pthread_join(server->thread, NULL);
	}
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (server->connections[i].fd >= 0)
			connection_close(server, &server->connections[i]);
	for (Late *late; (late = server->late);) {
		server->late = late->next;
		free(late);
	}
	close_fd(&server->udp);
	close_fd(&server->tcp);
	close_fd(&server->wake);
	(void)pthread_mutex_destroy(&server->mutex);
	free(server->questions);
	free(server);
}

const char *dns_server_address(const DnsServer *server)
{
	return server->address;
}

void dns_server_set_rules(DnsServer *server, const DnsRule *rules, size_t rules_count)
{
	pthread_mutex_lock(&server->mutex);
	server->rules = rules;
	server->rules_count = rules_count;
	pthread_mutex_unlock(&server->mutex);
}

void dns_server_close_tcp(DnsServer *server)
{
	/*
	 * A listening socket that is shut down refuses at once; the thread's accept4() then fails.
	 */
	(void)shutdown(server->tcp, SHUT_RDWR);
}

size_t dns_server_udp_count(DnsServer *server)
{
	size_t count;

	pthread_mutex_lock(&server->mutex);
	count = server->udp_count;
	pthread_mutex_unlock(&server->mutex);
	return count;
}

size_t dns_server_tcp_count(DnsServer *server)
{
	size_t count;

	pthread_mutex_lock(&server->mutex);
	count = server->tcp_count;
	pthread_mutex_unlock(&server->mutex);
	return count;
}

bool dns_server_question(DnsServer *server, size_t i, char name[256])
{
	bool known;

	pthread_mutex_lock(&server->mutex);
	known = i < server->udp_count + server->tcp_count && i < QUESTIONS_MAX;
	if (known)
		memcpy(name, server->questions[i], 256);
	pthread_mutex_unlock(&server->mutex);
	return known;
}
