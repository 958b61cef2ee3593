/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Plays the service manager: appends what comes to the datagram socket PATH (sd_notify(3)) to stdout, a line each. */

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[4096];
	int fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	memcpy(address.sun_path, argv[1], strlen(argv[1]) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror(argv[1]);
		return 1;
	}
	for (;;) {
		ssize_t n = recv(fd, text, sizeof(text), 0);

		if (n < 0)
			return 1;
		(void)printf("%.*s\n", (int)n, text);
		(void)fflush(stdout);
	}
}
