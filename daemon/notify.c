/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/notify.h"

#include "build-config.h"

#if HAVE_SYSTEMD

#include <inttypes.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>

/* A handler has nothing else: where to send to, and who had the signal before. */
static struct {
	struct sockaddr_un address;
	socklen_t address_len; /* 0: nobody listens */
	struct sigaction former;
} hangup;

/* Whether anybody listens is systemd's affair: nothing depends on the answer. */

void notify_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

void notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

static uint64_t monotonic_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void notify_reloading(void)
{
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, monotonic_us());
}

/* notify_reloading() of what a handler may call (signal-safety(7)). */
static void send_reloading(void)
{
	char text[64] = "RELOADING=1\nMONOTONIC_USEC=", digits[20];
	size_t len = strlen(text), count = 0;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	for (uint64_t us = monotonic_us(); us || !count; us /= 10)
		digits[count++] = (char)('0' + us % 10);
	while (count)
		text[len++] = digits[--count];
	(void)sendto(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&hangup.address, hangup.address_len);
	(void)close(fd);
}

static void on_hangup(int signal)
{
	int saved = errno;

	send_reloading();
	hangup.former.sa_handler(signal);
	errno = saved;
}

/* sd_notify(3): a path, or with '@' a name in the abstract name space. False where systemd has something else. */
static bool find_socket(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (!len || len >= sizeof(hangup.address.sun_path) || (*path != '/' && *path != '@'))
		return false;
	hangup.address.sun_family = AF_UNIX;
	memcpy(hangup.address.sun_path, path, len + 1);
	if (*path == '@')
		hangup.address.sun_path[0] = '\0';
	hangup.address_len =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*path == '/'));
	return true;
}

int notify_hangups(void)
{
	struct sigaction action;

	if (!find_socket())
		return 0;
	if (sigaction(SIGHUP, NULL, &hangup.former) < 0)
		return -errno;
	/* Nobody's, or one that wants more than its number. */
	if (hangup.former.sa_flags & SA_SIGINFO || hangup.former.sa_handler == SIG_DFL ||
		hangup.former.sa_handler == SIG_IGN)
		return -EINVAL;
	action = hangup.former;
	action.sa_handler = on_hangup;
	return sigaction(SIGHUP, &action, NULL) < 0 ? -errno : 0;
}

void notify_status(const char *text)
{
	(void)sd_notifyf(0, "STATUS=%s", text);
}

void notify_extend(uint64_t ms)
{
	(void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, ms * 1000);
}

void notify_watchdog(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

uint64_t notify_watchdog_interval_ms(void)
{
	uint64_t usec;

	return sd_watchdog_enabled(0, &usec) > 0 ? usec / 2000 : 0;
}

#endif
