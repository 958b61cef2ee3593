/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sink-server.h"

#include <time.h>

uint64_t sink_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int sink_password_dup(const SinkOptions *options, char **ret_password, Why *ret_why)
{
	Span password = options->password;

	*ret_password = NULL;
	if (!password.len)
		return 0;
	if (memchr(password.data, '\0', password.len)) {
		why_set(ret_why, "the password holds a NUL byte");
		return -EINVAL;
	}
	*ret_password = span_dup(password);
	return *ret_password ? 0 : -ENOMEM;
}

void sink_password_free(char *password)
{
	explicit_bzero(password, strlen(password));
	free(password);
}

int sink_trusted(const SinkOptions *options, const char **ret_path, Why *ret_why)
{
	/* Debian and Arch, Fedora and its kin, openSUSE, Alpine and the BSDs. */
	static const char *const systems[] = {"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
	const char *path = sink_given(options->ca_file);

	if (!path)
		path = sink_given(getenv("SSL_CERT_FILE"));
	for (size_t i = 0; !path && i < ARRAY_SIZE(systems); i++)
		if (access(systems[i], R_OK) == 0)
			path = systems[i];
	if (!path) {
		why_set(ret_why, "this system has no list of certificate authorities (package "
				 "ca-certificates), and no "
				 "db_ca_file is given");
		return -ENOENT;
	}
	/* The libraries name the file in no case. */
	if (access(path, R_OK) < 0) {
		int r = -errno;

		why_set(ret_why, "%s: %s", path, strerror(-r));
		return r;
	}
	*ret_path = path;
	return 0;
}
