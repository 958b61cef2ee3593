/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A relay for UDP on loopback that keeps every datagram to the server for a while: the distance to
 * a name server far away, without privileges. It ends when its standard input does.
 */

#include <arpa/inet.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "base/number.h"

#define CLIENTS_MAX 16
#define QUEUE_MAX 8192U
#define DATAGRAM_MAX 512
#define SOCKET_BUFFER_SIZE (4 << 20)

static const char usage[] = "usage: dns-delay --port PORT [--delay MS]\n"
			    "\n"
			    "Listens on a port of 127.0.0.1 that it prints, sends what comes to "
			    "PORT there after MS milliseconds (default 20),\n"
			    "and the answers back at once. Ends with its standard input.\n";

typedef struct Client {
	struct sockaddr_in addr;
	int fd; /* connected to the server */
} Client;

typedef struct Datagram {
	uint64_t due_ns;
	unsigned client;
	size_t len;
	uint8_t data[DATAGRAM_MAX];
} Datagram;

static Datagram queue[QUEUE_MAX]; /* a ring */
static unsigned head, tail;
static Client clients[CLIENTS_MAX];
static unsigned clients_count;

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
	    size = SOCKET_BUFFER_SIZE;

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

/* The client's number; -1 when there is no room for another one. */
static int client_find(const struct sockaddr_in *addr, const struct sockaddr_in *server)
{
	Client client = {.addr = *addr};

	for (unsigned i = 0; i < clients_count; i++)
		if (clients[i].addr.sin_port == addr->sin_port &&
			clients[i].addr.sin_addr.s_addr == addr->sin_addr.s_addr)
			return (int)i;
	if (clients_count == CLIENTS_MAX)
		return -1;
	client.fd = open_socket();
	if (client.fd < 0)
		return -1;
	if (connect(client.fd, (const struct sockaddr *)server, sizeof(*server)) < 0) {
		(void)close(client.fd);
		return -1;
	}
	clients[clients_count] = client;
	return (int)clients_count++;
}

static void take_queries(int fd, const struct sockaddr_in *server, uint64_t delay_ns)
{
	while (tail - head < QUEUE_MAX) {
		Datagram *datagram = &queue[tail % QUEUE_MAX];
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, datagram->data, sizeof(datagram->data), 0,
			(struct sockaddr *)&from, &from_len);
		int client;

		if (n < 0)
			return;
		client = client_find(&from, server);
		if (client < 0)
			continue;
		datagram->client = (unsigned)client;
		datagram->len = (size_t)n;
		datagram->due_ns = now_ns() + delay_ns;
		tail++;
	}
}

static void send_due(void)
{
	uint64_t now = now_ns();

	for (; head != tail && queue[head % QUEUE_MAX].due_ns <= now; head++) {
		const Datagram *datagram = &queue[head % QUEUE_MAX];

		(void)!send(clients[datagram->client].fd, datagram->data, datagram->len, 0);
	}
}

static void send_back(int fd, const Client *client)
{
	uint8_t data[65536];
	ssize_t n;

	while ((n = recv(client->fd, data, sizeof(data), 0)) >= 0)
		(void)!sendto(fd, data, (size_t)n, 0, (const struct sockaddr *)&client->addr,
			sizeof(client->addr));
}

static void relay(int fd, const struct sockaddr_in *server, uint64_t delay_ns)
{
	for (;;) {
		struct pollfd fds[2 + CLIENTS_MAX] = {
			{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
		struct timespec timeout = {0};
		uint64_t now = now_ns(), due = queue[head % QUEUE_MAX].due_ns;
		unsigned count = clients_count;
		char byte;

		for (unsigned i = 0; i < count; i++)
			fds[2 + i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
		if (head != tail && due > now) {
			timeout.tv_sec = (time_t)((due - now) / 1000000000);
			timeout.tv_nsec = (long)((due - now) % 1000000000);
		}
		if (ppoll(fds, 2 + count, head == tail ? NULL : &timeout, NULL) < 0 &&
			errno != EINTR)
			return;
		if (fds[0].revents && read(STDIN_FILENO, &byte, 1) <= 0)
			return;
		take_queries(fd, server, delay_ns);
		send_due();
		for (unsigned i = 0; i < count; i++)
			if (fds[2 + i].revents)
				send_back(fd, &clients[i]);
	}
}

int main(int argc, char **argv)
{
	static const struct option table[] = {
		{"port", required_argument, NULL, 'p'},
		{"delay", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct sockaddr_in server = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in here = server;
	socklen_t len = sizeof(here);
	uint64_t port = 0, delay_ms = 20;
	int option, r = 0, fd;

	while ((option = getopt_long(argc, argv, "", table, NULL)) >= 0) {
		switch (option) {
		case 'p': r |= number_parse_u64(span_from_string(optarg), UINT16_MAX, &port); break;
		case 'd': r |= number_parse_u64(span_from_string(optarg), 10000, &delay_ms); break;
		case 'h': fputs(usage, stdout); return 0;
		default: r = -EINVAL;
		}
	}
	if (r || !port || optind < argc) {
		fputs(usage, stderr);
		return 2;
	}
	server.sin_port = htons((uint16_t)port);
	fd = open_socket();
	if (fd < 0 || bind(fd, (struct sockaddr *)&here, len) < 0 ||
		getsockname(fd, (struct sockaddr *)&here, &len) < 0) {
		fprintf(stderr, "dns-delay: %s\n", strerror(errno));
		return 1;
	}
	printf("%u\n", ntohs(here.sin_port));
	if (fflush(stdout))
		return 1;
	relay(fd, &server, delay_ms * 1000000);
	return 0;
}
