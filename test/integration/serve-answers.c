/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A server for answers that no real one gives: for each connection to 127.0.0.1:PORT it reads the head of a request and runs
 * the script DIR/NAME of "GET /NAME ..." by bash, whose stdout is the connection and whose $REQUEST is that head. So a test
 * writes down, byte for byte and pause for pause, what is sent; when the script ends the connection does.
 *
 *     serve-answers DIR PORT
 *
 * What is not such a request (a TLS client's hello) is never answered. It is the leader of a process group, so that a
 * test can end it with all that it has started.
 */

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789-."

/* The process of one connection. */
static void answer(int connection)
{
	static char head[HEAD_MAX];
	size_t len = 0, name_len;
	char *name = head + strlen("GET /");

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!strstr(head, "\r\n\r\n") && len + 1 < sizeof(head)) {
		ssize_t n = recv(connection, head + len, sizeof(head) - 1 - len, 0);

		if (n <= 0)
			_exit(0);
		len += (size_t)n;
	}
	name_len = strspn(name, NAME_CHARACTERS);
	if (strncmp(head, "GET /", 5) != 0 || !name_len)
		_exit(1);
	if (setenv("REQUEST", head, 1) < 0 || dup2(connection, STDIN_FILENO) < 0 ||
		dup2(connection, STDOUT_FILENO) < 0)
		_exit(1);
	name[name_len] = '\0';
	(void)signal(SIGPIPE, SIG_DFL);
	(void)execlp("bash", "bash", name, (char *)NULL);
	_exit(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener, on = 1;

	if (argc != 3)
		return 2;
	address.sin_port = htons((in_port_t)strtoul(argv[2], NULL, 10));
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (chdir(argv[1]) < 0 || setpgid(0, 0) < 0 || signal(SIGCHLD, SIG_IGN) == SIG_ERR ||
		listener < 0 ||
		setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(listener, 64) < 0) {
		perror("serve-answers");
		return 1;
	}
	for (;;) {
		int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (connection < 0)
			continue;
		if (fork() == 0)
			answer(connection);
		(void)close(connection);
	}
}
